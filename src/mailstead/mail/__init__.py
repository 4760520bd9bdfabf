"""What mail is: addresses, messages, their structure and their summaries. Pure."""
