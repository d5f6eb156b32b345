"""What answers cost: real usage in, US dollars out. What is not known is None and never 0; nothing is sent or spent."""
