// Package eks tells that this is not EKS.
//
// It stands in for the module of that name, by which the collector can describe
// the Kubernetes cluster of AWS that it runs in, and which brings Kubernetes'
// own client along. A Lambda function runs in no cluster: there that module
// finds nothing, as ours does.
package eks

import (
	"context"

	"go.opentelemetry.io/otel/sdk/resource"
)

type detector struct{}

// NewResourceDetector gives a detector that finds nothing.
func NewResourceDetector() resource.Detector {
	return detector{}
}

func (detector) Detect(context.Context) (*resource.Resource, error) {
	return resource.Empty(), nil
}
