"""The whole portal as its users meet it: every process real, spoken to over HTTP, sockets and a browser only."""
