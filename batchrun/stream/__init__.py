"""One attempt: decoder and fold (pure), clocks, meter. Nothing here retries or writes."""
