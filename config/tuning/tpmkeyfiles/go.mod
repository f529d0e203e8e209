module github.com/foxboron/go-tpm-keyfiles

go 1.24
