package countersign

import (
	"crypto/rand"
	"fmt"
	"strings"
)

type jwtHeader struct {
	Type      string `json:"typ,omitempty"`
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
}

// signJWT makes a JWT in compact form, signed with the key of the agent.
func (r *rules) signJWT(header jwtHeader, payload any) (string, error) {
	var text string
	for _, part := range []any{header, payload} {
		data, err := toJSON(part)
		if err != nil {
			return "", err
		}
		text += toBase64URL(data) + "."
	}
	text = strings.TrimSuffix(text, ".")
	signature, err := r.key.sign([]byte(text))
	return text + "." + toBase64URL(signature), err
}

// uuid is a random UUID (RFC 9562 §5.4).
func uuid() string {
	var data [16]byte
	// It has no error: see [rand.Read].
	_, _ = rand.Read(data[:])
	data[6], data[8] = data[6]&0x0f|0x40, data[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", data[:4], data[4:6], data[6:8], data[8:10], data[10:])
}
