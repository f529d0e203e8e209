// Our detector against the one that ours stands in for, where no cluster is.
package replaced

import (
	"context"
	"testing"

	theirs "go.opentelemetry.io/contrib/detectors/aws/eks"

	ours "replaced/ours"
)

func TestTheSameWhereNoClusterIs(t *testing.T) {
	wanted, wantedError := theirs.NewResourceDetector().Detect(context.Background())
	got, gotError := ours.NewResourceDetector().Detect(context.Background())
	if wantedError != nil || gotError != nil || !wanted.Equal(got) {
		t.Fatalf("ours is %v, %v\ntheirs %v, %v", got, gotError, wanted, wantedError)
	}
}
