"""Workloads: what many clients do at once, by published mixes, and how long each of them waits for it.

`mixes` says what each workload asks for, as data; `people` who there is, from the dataset; `reads` and `writes` make
the requests, `source` draws them; `load` sends them over connections that are kept; `results` is what is kept.
The load generator is the process of the command. The server is another one, and so is PostgreSQL.
"""
