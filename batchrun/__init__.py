"""batchrun: runs thousands of LLM requests overnight and explains each of them in the morning.

Only the version stands here: importing the package costs nothing, and above all not the SDK.
"""

__version__ = "0.1.0"
