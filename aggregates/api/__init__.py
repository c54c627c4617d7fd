"""How clients send usage over HTTP. Each way in is one small file; what they share is in the others."""
