"""What has been done: record format, append and fsync, recovery, lock. Nothing here knows why.

`docs/format.md` is the law of these files; C1 to C16 in the comments are its numbers. To write: `writer`. To read while
a run may be writing: `reader`, `runs`, `snapshot`, and `lock.read_holder`.
"""
