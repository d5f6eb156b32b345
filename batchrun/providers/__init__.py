"""Who answers: one module a wire dialect, and the transport below it. Nothing here decides what a failure means for
the batch."""
