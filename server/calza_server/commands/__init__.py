"""What is typed after `calza server` and `calza verdict`: options, sentences, exit codes. Decides nothing."""
