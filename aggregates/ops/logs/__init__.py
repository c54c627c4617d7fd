"""What goes to standard error, for operators: lines of text or JSON, without anything that people recorded."""
