"""Alert scoring under made-up or recorded traffic, with production's own decisions and a clock that no machine drives.

clock.py      the virtual time, and the events that wait for theirs
traces.py     one request of a trace; trace files
arrivals.py   when requests arrive: Poisson, diurnal, with bursts
content.py    what they ask for: queries, repeated and new, and their candidates
services.py   how long a server takes, read from files of the benchmarks
servers.py    a server: its processors, its queue, its batches
outcomes.py   how each request ended, once
series.py     what is drawn over time
report.py     the figures of a run, as JSON and as a page
run.py        requests through admission, depth, cache and servers
"""
