"""The command line: arguments, progress, messages. The only place that prints."""
