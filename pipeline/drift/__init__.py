"""Does the summarizer still fit the stream? Summaries of a sample of new postings, compared with their raw texts."""
