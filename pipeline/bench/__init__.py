"""The bench: a stand-in for AWS Lambda in which a layer's extensions are tried and measured."""
