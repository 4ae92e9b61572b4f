"""Commands of the command line, each as one function."""
