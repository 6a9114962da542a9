"""What the namespace tests share; see ../README.md for how a test is put together."""
