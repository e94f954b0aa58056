"""What a person asks for in free words, as filters and words to look for (docs/understanding.md).

`understood`: the answer, which can be corrected; `rules`: from words to parts; `reading`: the text that the rules read,
`negations`, `pay`, `workplace`, `types`, `place`: a module for each kind of part.
"""
