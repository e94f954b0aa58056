"""Order of the requests that wait for an engine: priorities, turns of callers, and policies that group shared prefixes.

`waiting_queue.WaitingQueue` is what the batcher holds, `policies` the rules by which the next request is chosen,
`prefix_tree` the tree of the waiting prompts that all rules read. Nothing here has a thread, reads a clock or imports
torch: time is an argument, and a policy's time is the number of tokens computed so far.
"""
