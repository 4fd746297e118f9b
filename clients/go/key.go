package countersign

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
)

// Key is the Ed25519 key of an agent. It shows its private part in the methods named Export… only, however it is printed.
type Key struct {
	signer crypto.Signer
	public ed25519.PublicKey
}

// JWK is a key as JSON (RFC 8037 §2).
type JWK struct {
	KeyType string `json:"kty"`
	Curve   string `json:"crv"`
	X       string `json:"x"`
	// D is the private part. Empty in a public key.
	D string `json:"d,omitempty"`
	// KeyID is the RFC 7638 thumbprint.
	KeyID string `json:"kid,omitempty"`
}

// Format shows the public part, with every verb.
func (k JWK) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "{kty:%s crv:%s x:%s}", k.KeyType, k.Curve, k.X)
}

// Registration is the entry of an agent in the agents.json of an API.
type Registration struct {
	AgentID      string   `json:"agent_id"`
	PublicKey    string   `json:"public_key"`
	Capabilities []string `json:"capabilities"`
}

// GenerateKey makes a new key.
func GenerateKey() *Key {
	// It has no error: crypto/rand ends the program if there is no randomness.
	_, private, _ := ed25519.GenerateKey(rand.Reader)
	return keyOf(private)
}

// NewKeyFromSeed makes the key of a 32-byte seed.
func NewKeyFromSeed(seed []byte) (*Key, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, badKey("The seed of a key has 32 bytes.")
	}
	return keyOf(ed25519.NewKeyFromSeed(seed)), nil
}

// NewKeyFromSecretKey makes the key of the 64 bytes that TweetNaCl calls secretKey, as of an [ed25519.PrivateKey].
func NewKeyFromSecretKey(secret []byte) (*Key, error) {
	if len(secret) != ed25519.PrivateKeySize {
		return nil, badKey("A secret key has 64 bytes.")
	}
	return keyOfParts(secret[:ed25519.SeedSize], secret[ed25519.SeedSize:])
}

// NewKeyFromSigner makes a key that never leaves a KMS or HSM. Its Public must be an [ed25519.PublicKey].
func NewKeyFromSigner(signer crypto.Signer) (*Key, error) {
	if private, ok := signer.(ed25519.PrivateKey); ok {
		return NewKeyFromSecretKey(private)
	}
	if signer == nil {
		return nil, badKey("There is no signer.")
	}
	public, ok := signer.Public().(ed25519.PublicKey)
	if !ok || len(public) != ed25519.PublicKeySize {
		return nil, badKey("The signer does not sign with Ed25519.")
	}
	return &Key{signer, public}, nil
}

func keyOf(private ed25519.PrivateKey) *Key {
	return &Key{private, private.Public().(ed25519.PublicKey)}
}

func keyOfParts(seed, public []byte) (*Key, error) {
	private := ed25519.NewKeyFromSeed(seed)
	// Signing one seed under two public keys would give the private key away.
	if public != nil && !bytes.Equal(public, private[ed25519.SeedSize:]) {
		return nil, badKey("The public part does not belong to the private part. The key is damaged.")
	}
	return keyOf(private), nil
}

// Thumbprint is the RFC 7638 JWK thumbprint, SHA-256, base64url: the keyid of signatures.
func (k Key) Thumbprint() string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + toBase64URL(k.public) + `"}`))
	return toBase64URL(sum[:])
}

// PublicKey is the 32 bytes of the public key in base64.
func (k Key) PublicKey() string { return toBase64(k.public) }

// PublicJWK is the public key as a JWK.
func (k Key) PublicJWK() JWK { return JWK{KeyType: "OKP", Curve: "Ed25519", X: toBase64URL(k.public)} }

// Registration gives the entry for the agents.json of an API.
func (k Key) Registration(agentID string, capabilities ...string) (Registration, error) {
	if !isIdentifier(agentID) {
		return Registration{}, failed(CodeConfigInvalid, "The id must be visible text of 1 to 256 characters in NFC.")
	}
	return Registration{agentID, k.PublicKey(), append([]string{}, capabilities...)}, nil
}

// ExportJWK gives the private key as a JWK. Secret.
func (k Key) ExportJWK() (JWK, error) {
	private, err := k.private()
	if err != nil {
		return JWK{}, err
	}
	jwk := k.PublicJWK()
	jwk.D, jwk.KeyID = toBase64URL(private.Seed()), k.Thumbprint()
	return jwk, nil
}

// ExportPEM gives the private key as a PKCS #8 PEM. Secret.
func (k Key) ExportPEM() ([]byte, error) {
	private, err := k.private()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ExportSecretKey gives the 64 bytes that TweetNaCl calls secretKey. Secret.
func (k Key) ExportSecretKey() ([]byte, error) {
	private, err := k.private()
	return bytes.Clone(private), err
}

func (k Key) private() (ed25519.PrivateKey, error) {
	private, ok := k.signer.(ed25519.PrivateKey)
	if !ok {
		return nil, badKey("The private key is in another place, and cannot be exported.")
	}
	return private, nil
}

func (k Key) sign(data []byte) ([]byte, error) {
	signature, err := k.signer.Sign(rand.Reader, data, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	if len(signature) != ed25519.SignatureSize {
		return nil, badKey("The signer made something that is no Ed25519 signature.")
	}
	return signature, nil
}

// Format shows the thumbprint, with every verb.
func (k Key) Format(state fmt.State, _ rune) {
	if len(k.public) == 0 {
		_, _ = io.WriteString(state, "Key()")
		return
	}
	fmt.Fprintf(state, "Key(%s)", k.Thumbprint())
}

// MarshalText fails: a private key is exported by name, with [Key.ExportPEM].
func (k Key) MarshalText() ([]byte, error) {
	return nil, errors.New("countersign: a private key is not marshaled. Export it by name, with ExportPEM")
}

func badKey(message string) error { return failed(CodeKeyInvalid, message) }
