"""The service's web side (网络接口): the API, the stream of findings, figures, and plain pages."""
