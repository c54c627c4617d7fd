//# allFunctionsCalledOnLoad
// Chromium reads this at the top of a file: it compiles the file on another thread as it comes, not function by function.
