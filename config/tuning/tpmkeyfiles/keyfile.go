// Package keyfile says that keys of a TPM cannot be used here.
//
// It stands in for the module of that name. The collector can have the keys of its TLS certificates
// in a TPM, a chip of a machine, which no Lambda function reaches.
package keyfile

import (
	"crypto"
	"errors"

	"github.com/google/go-tpm/tpm2/transport"
)

var errNoTPM = errors.New("a Lambda function has no TPM (tuning no-tpm)")

// TPMKey is a key that a TPM holds.
type TPMKey struct{}

// Decode returns an error: there is no TPM for the key.
func Decode([]byte) (*TPMKey, error) {
	return nil, errNoTPM
}

// Signer returns an error: there is no TPM that could sign.
func (*TPMKey) Signer(transport.TPMCloser, []byte, []byte) (crypto.Signer, error) {
	return nil, errNoTPM
}
