// Package winio stands in for github.com/Microsoft/go-winio, which no package of Debian's has, in a restic for tests
// alone: privileges stay as they are, and extended attributes, which no file of these tests has, are refused.
package winio

import "errors"

var errLeftOut = errors.New("left out of this restic, which is for tests")

// ExtendedAttribute is what callers know of one.
type ExtendedAttribute struct {
	Name  string
	Value []byte
	Flags uint8
}

// EncodeExtendedAttributes refuses.
func EncodeExtendedAttributes([]ExtendedAttribute) ([]byte, error) { return nil, errLeftOut }

// DecodeExtendedAttributes refuses.
func DecodeExtendedAttributes([]byte) ([]ExtendedAttribute, error) { return nil, errLeftOut }

// EnableProcessPrivileges refuses.
func EnableProcessPrivileges([]string) error { return errLeftOut }
