// Package tpmutil says that there is no TPM here.
//
// Its module stands in for go-tpm, by which the collector can have the keys of its TLS certificates in
// a TPM, a chip of a machine, which no Lambda function reaches.
package tpmutil

import (
	"errors"
	"io"
)

// OpenTPM returns an error: there is no TPM.
func OpenTPM(...string) (io.ReadWriteCloser, error) {
	return nil, errors.New("a Lambda function has no TPM (tuning no-tpm)")
}
