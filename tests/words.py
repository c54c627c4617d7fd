"""Sentences that several doors say, each written once; tests add what a door puts around them."""

# Of a value
VALUE = "expected a value"
WHOLE = "expected a whole number from 0 to 1,000,000,000"
DOLLARS = "expected an amount of US dollars from 0 to below 1,000,000,000"
TIME = "expected a time: ISO 8601, or epoch seconds or milliseconds"
NO_FIELD = "there is no such field"

# Of a body or file
OBJECT = "expected a JSON object"
NESTED = "expected JSON with less nesting"
NAN = "expected JSON without NaN, Infinity and numbers of thousands of digits"
UTF8 = "expected UTF-8 text: CSV with a header line, or a JSON object a line"
LONG_LINE = "expected at most 10,000,000 characters"
EMPTY = "the file is empty"
DAMAGED = "the gzip data is damaged"
CUT_OFF = "the gzip data ends too early"

# Of a password, as Django says it
TOO_SHORT = "This password is too short."
NUMERIC = "This password is entirely numeric."
COMMON = "This password is too common."

# Of the rest
NO_KEY = "Expected an API key"
NOBODY = "There is no organization “nobody”. There is: acme."
UNCHANGED = "No call was changed."
NO_PROBLEM = "Nothing is wrong."
NO_ANSWER = "The database does not answer."
NOT_KEPT = "are no longer kept"
