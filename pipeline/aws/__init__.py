"""The door to AWS: only modules in here import boto3."""
