package countersign

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	fieldNameForm  = regexp.MustCompile("\\A[A-Za-z0-9!#$%&'*+.^_`|~-]+\\z")
	coverNameForm  = regexp.MustCompile("\\A[a-z0-9!#$%&'*+.^_`|~-]+\\z")
	asciiValueForm = regexp.MustCompile(`\A[\t\x20-\x7e]*\z`)
)

// credentials are with what an agent acts for others: a token, links of other agents, or both.
type credentials struct {
	token    string
	links    []string
	approval string
}

// rules are what every signature of an agent keeps to.
type rules struct {
	agentID              string
	key                  *Key
	origins              map[string]bool
	lifetime             time.Duration
	cover                []string
	maxBodyBytes         int64
	clock                func() time.Time
	dangerouslyAllowHTTP bool
}

// field is a header field. Its value is bytes.
type field struct{ name, value string }

// signed is a request to be sent as it is.
type signed struct {
	address address
	// All fields in order, those of the signature last. Without Host and Content-Length.
	fields []field
}

// unsigned is a request as it is to be signed.
type unsigned struct {
	method string
	url    string
	fields []field
	body   []byte
}

// sign adds the credentials, Content-Digest, Signature-Input and Signature.
func (r *rules) sign(held credentials, request unsigned, ahead time.Duration, nonce string) (signed, error) {
	to, err := readURL(request.url)
	if err != nil {
		return signed{}, err
	}
	if !r.origins[to.origin()] {
		return signed{}, failed(CodeOriginNotAllowed, to.origin()+" is none of the origins of this agent. Nothing was signed or sent.")
	}
	if !fieldNameForm.MatchString(request.method) {
		return signed{}, failed(CodeRequestMalformed, "The method is not one of HTTP.")
	}
	if int64(len(request.body)) > r.maxBodyBytes {
		return signed{}, tooLarge(r.maxBodyBytes)
	}
	fields, err := checked(to, request.fields)
	if err != nil {
		return signed{}, err
	}
	if fields, err = withCredentials(fields, held); err != nil {
		return signed{}, err
	}
	if !to.isPrivate() && !r.dangerouslyAllowHTTP {
		return signed{}, failed(CodeInsecureCredential, "Everyone on the way to "+to.origin()+" could read the request and its credentials: use https.")
	}
	if len(request.body) > 0 {
		fields = append(fields, field{"Content-Digest", digestOf(request.body)})
	}
	created := r.clock().Add(ahead).Unix()
	if nonce == "" {
		nonce = randomText()
	}
	covered := append(slices.Clone(targetComponents), covers(fields, r.cover)...)
	input := fmt.Sprintf(`("%s");created=%d;expires=%d;nonce="%s";keyid="%s";tag="%s"`,
		strings.Join(covered, `" "`), created, created+int64(r.lifetime/time.Second), nonce, r.key.Thumbprint(), signatureTag)
	base, err := signatureBase(request.method, to, fields, covered, input)
	if err != nil {
		return signed{}, err
	}
	signature, err := r.key.sign([]byte(base))
	if err != nil {
		return signed{}, err
	}
	fields = append(fields, field{"Signature-Input", "sig=" + input}, field{"Signature", "sig=:" + toBase64(signature) + ":"})
	return signed{to, fields}, nil
}

// signatureBase is RFC 9421 §2.5.
func signatureBase(method string, to address, fields []field, covered []string, input string) (string, error) {
	query := to.query
	if query == "" {
		query = "?"
	}
	derived := map[string]string{"@method": method, "@authority": to.authority, "@path": to.path, "@query": query}
	var base strings.Builder
	for _, name := range covered {
		value, isDerived := derived[name]
		if !isDerived {
			if value = combined(fields, name); !asciiValueForm.MatchString(value) {
				return "", failed(CodeRequestMalformed, "The field "+name+" is not ASCII, so it cannot be signed.")
			}
		}
		base.WriteString(`"` + name + `": ` + value + "\n")
	}
	return base.String() + `"@signature-params": ` + input, nil
}

func combined(fields []field, name string) string {
	var values []string
	for _, one := range fields {
		if strings.EqualFold(one.name, name) {
			values = append(values, strings.Trim(one.value, " \t"))
		}
	}
	return strings.Join(values, ", ")
}

func checked(to address, given []field) ([]field, error) {
	var fields []field
	for _, one := range given {
		if !fieldNameForm.MatchString(one.name) || !isFieldValue(one.value) {
			return nil, failed(CodeRequestMalformed, "A header field has a name or a value that HTTP does not allow.")
		}
		switch strings.ToLower(one.name) {
		case "signature", "signature-input":
			return nil, failed(CodeAlreadySigned, "The headers carry a signature already. Sign a request once.")
		case "host":
			if host, ok := readAuthority(to.scheme, strings.Trim(one.value, " \t")); !ok || host != to.authority {
				return nil, failed(CodeHostMismatch, "The Host header names another host than the URL. Drop the header.")
			}
		// A digest that the caller set could be of other bytes.
		case "content-length", "content-digest":
		default:
			fields = append(fields, one)
		}
	}
	return fields, nil
}

func isFieldValue(value string) bool {
	for at := range len(value) {
		if char := value[at]; char < ' ' && char != '\t' || char == 0x7f {
			return false
		}
	}
	return true
}

func withCredentials(fields []field, held credentials) ([]field, error) {
	var added []field
	if held.token != "" {
		added = append(added, field{"Authorization", "Bearer " + held.token})
	}
	if len(held.links) > 0 {
		added = append(added, field{"Agent-Delegation", strings.Join(held.links, ", ")})
	}
	if held.approval != "" {
		added = append(added, field{"Agent-Approval", held.approval})
	}
	for _, one := range added {
		if hasField(fields, one.name) {
			return nil, failed(CodeCredentialConflict, "A token, bundle or approval was given, and the header "+one.name+" too. Use one.")
		}
	}
	return append(fields, added...), nil
}

func hasField(fields []field, name string) bool {
	return slices.ContainsFunc(fields, func(one field) bool { return strings.EqualFold(one.name, name) })
}

// covers names the fields that are covered, in order.
func covers(fields []field, cover []string) []string {
	var parameters []string
	for _, one := range fields {
		if name := strings.ToLower(one.name); strings.HasPrefix(name, paramPrefix) {
			parameters = append(parameters, name)
		}
	}
	slices.Sort(parameters)
	var names []string
	for _, name := range slices.Concat(coveredFields, cover, parameters) {
		if hasField(fields, name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func randomText() string {
	data := make([]byte, 16)
	// It has no error: see [rand.Read].
	_, _ = rand.Read(data)
	return toBase64URL(data)
}

func tooLarge(limit int64) error {
	return failed(CodeBodyTooLarge, fmt.Sprintf("The body has more than %d bytes. It is held in memory to be signed.", limit))
}
