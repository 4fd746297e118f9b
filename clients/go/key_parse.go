package countersign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"regexp"
	"strings"
)

const acceptedKeys = "Give a private JWK, a PKCS #8 PEM, or the secretKey of nacl.sign.keyPair() in base64."

var (
	fileForm     = regexp.MustCompile(`(?i)\A\S*\.(?:pem|key|jwk|json|txt)\z`)
	pemLabelForm = regexp.MustCompile(`-----BEGIN ([A-Z0-9 ]+)-----`)
	// RFC 8410 §7: the DER of the second version, which also has the public key.
	versionTwo, _     = hex.DecodeString("3051020101300506032b657004220420")
	publicKeyField, _ = hex.DecodeString("812100")
)

const versionTwoBytes = 83

// ParseKey reads a private key from text: a JWK, a PKCS #8 PEM, or base64 of the 64-byte secretKey of TweetNaCl or its
// 32-byte seed. The error has the code [CodeKeyInvalid], and never repeats the text.
func ParseKey(text []byte) (*Key, error) {
	text = bytes.TrimSpace(text)
	if bytes.Contains(text, []byte("-----BEGIN")) {
		return parsePEM(text)
	}
	if bytes.HasPrefix(text, []byte("{")) {
		return parseJWK(text)
	}
	data, ok := fromBase64(string(text))
	switch {
	case ok && len(data) == ed25519.SeedSize:
		return NewKeyFromSeed(data)
	case ok && len(data) == ed25519.PrivateKeySize:
		return NewKeyFromSecretKey(data)
	case fileForm.Match(text):
		return nil, badKey("This is not a private key. It looks like a file name: pass what is in the file.")
	default:
		return nil, badKey("This is not a private key. " + acceptedKeys)
	}
}

func parsePEM(text []byte) (*Key, error) {
	if label := pemLabelForm.FindSubmatch(text); label != nil {
		switch found := string(label[1]); found {
		case "PRIVATE KEY":
		case "ENCRYPTED PRIVATE KEY":
			return nil, badKey("The PEM is encrypted. Decrypt it first: openssl pkey -in key.pem -out plain.pem")
		default:
			return nil, badKey("The PEM holds a " + quote(found, 40) + "; a PKCS #8 PRIVATE KEY is needed.")
		}
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, badKey("The PEM is incomplete.")
	}
	der := block.Bytes
	if len(der) == versionTwoBytes && bytes.HasPrefix(der, versionTwo) && bytes.Equal(der[48:51], publicKeyField) {
		return keyOfParts(der[16:48], der[51:])
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		// What the library says of a damaged key could repeat it.
		return nil, badKey("The PEM cannot be read.")
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, badKey("The PEM holds a private key, but not an Ed25519 one.")
	}
	return keyOf(private), nil
}

func parseJWK(text []byte) (*Key, error) {
	jwk, ok := parseObject(text)
	if !ok {
		return nil, badKey("The key looks like a JWK, but is not JSON.")
	}
	if jwk["kty"] != "OKP" || jwk["crv"] != "Ed25519" {
		return nil, badKey(`The JWK is not an Ed25519 key: it needs "kty":"OKP","crv":"Ed25519".`)
	}
	if alg := jwk["alg"]; alg != nil && alg != "EdDSA" && alg != "Ed25519" {
		return nil, badKey("The JWK is for another algorithm.")
	}
	if use := jwk["use"]; use != nil && use != "sig" {
		return nil, badKey(`The JWK is not for signing ("use" is not "sig").`)
	}
	var parts [2][]byte
	for at, member := range []string{"d", "x"} {
		value, _ := jwk[member].(string)
		data, ok := fromBase64URL(value)
		if !ok || len(data) != ed25519.SeedSize {
			return nil, badKey(strings.ReplaceAll(`The JWK's "?" is not 32 bytes of unpadded base64url. A private key has it.`, "?", member))
		}
		parts[at] = data
	}
	return keyOfParts(parts[0], parts[1])
}
