package countersign

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Transport gives an [http.RoundTripper] that signs each request and sends it with base, or [http.DefaultTransport].
//
// A body is read into memory. A redirect is an [*Error] with [CodeRedirectRefused]: a signature is for one URL. A request
// is signed anew and sent again if the API was restarted (up to three times) or its clock differs (once). No base may
// change a request or send it twice: a signature counts once.
func (s *Signer) Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{s, base}
}

// Client gives an [http.Client] that signs each request.
func (s *Signer) Client() *http.Client { return &http.Client{Transport: s.Transport(nil)} }

// SignRequest gives a signed copy of a request, to be sent once and as it is. It reads and closes the body of the request.
//
// Send it with a client that follows no redirect: set CheckRedirect to a function that returns [http.ErrUseLastResponse].
func (s *Signer) SignRequest(request *http.Request) (*http.Request, error) {
	body, err := s.readBody(request)
	if err != nil {
		return nil, err
	}
	return s.signCopy(request, body, &attempts{})
}

type transport struct {
	signer *Signer
	base   http.RoundTripper
}

func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := t.signer.readBody(request)
	if err != nil {
		return nil, err
	}
	var tried attempts
	for {
		signed, err := t.signer.signCopy(request, body, &tried)
		if err != nil {
			return nil, err
		}
		response, err := t.base.RoundTrip(signed)
		if err != nil {
			return nil, err
		}
		// The signed copy has credentials, and a caller may log what was sent.
		response.Request = request.WithContext(signed.Context())
		to, err := readURL(urlOf(signed))
		if err != nil {
			return nil, err
		}
		if err := refuseRedirect(response, to.origin()); err != nil {
			return nil, err
		}
		wait, again := tried.next(response, to, t.signer)
		if !again {
			return response, nil
		}
		_ = response.Body.Close()
		if err := sleep(request.Context(), wait); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Signer) readBody(request *http.Request) ([]byte, error) {
	if request.Body == nil || request.Body == http.NoBody {
		return nil, nil
	}
	limit := s.rules.maxBodyBytes
	body, err := io.ReadAll(io.LimitReader(request.Body, limit+1))
	if closed := request.Body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > limit {
		return nil, tooLarge(limit)
	}
	if request.ContentLength > 0 && request.ContentLength != int64(len(body)) {
		return nil, failed(CodeRequestMalformed, "The body has another length than ContentLength.")
	}
	return body, nil
}

func (s *Signer) signCopy(request *http.Request, body []byte, tried *attempts) (*http.Request, error) {
	if request.URL == nil || request.URL.Opaque != "" || request.URL.User != nil {
		return nil, unsupported("The URL must be absolute, http or https, and without user name and password.")
	}
	if len(request.Trailer) > 0 {
		return nil, failed(CodeRequestMalformed, "A trailer cannot be signed.")
	}
	held, err := s.hold.current(request.Context())
	if err != nil {
		return nil, err
	}
	method := request.Method
	if method == "" {
		method = http.MethodGet
	}
	to, err := readURL(urlOf(request))
	if err != nil {
		return nil, err
	}
	if !tried.isCorrected {
		tried.ahead = s.offsets.of(to.origin())
	}
	fields := fieldsOf(request)
	made, err := s.rules.sign(held, unsigned{method, urlOf(request), fields, body}, tried.ahead, "")
	if err != nil {
		return nil, err
	}
	sent := &sentRequest{method, to.authority, to.target(), fields, digestOf(body)}
	signed := request.Clone(context.WithValue(request.Context(), sentKey{}, sent))
	signed.Method, signed.Host, signed.URL.Host, signed.URL.Fragment = method, to.authority, to.authority, ""
	signed.Header = headerOf(made.fields)
	signed.TransferEncoding, signed.Trailer = nil, nil
	signed.Body, signed.GetBody, signed.ContentLength = http.NoBody, nil, int64(len(body))
	if len(body) > 0 {
		signed.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		signed.Body, _ = signed.GetBody()
	}
	return signed, nil
}

// urlOf is the URL as net/http sends it.
func urlOf(request *http.Request) string {
	sent := url.URL{
		Path: request.URL.Path, RawPath: request.URL.RawPath, RawQuery: request.URL.RawQuery, ForceQuery: request.URL.ForceQuery,
	}
	return request.URL.Scheme + "://" + request.URL.Host + sent.RequestURI()
}

// fieldsOf has the fields in the order in which net/http sends them, each name in one spelling.
func fieldsOf(request *http.Request) []field {
	var fields []field
	if request.Host != "" && request.Host != request.URL.Host {
		fields = append(fields, field{"Host", request.Host})
	}
	for _, name := range slices.Sorted(maps.Keys(request.Header)) {
		values := request.Header[name]
		switch strings.ToLower(name) {
		// net/http frames the body itself.
		case "transfer-encoding", "trailer":
			continue
		case "user-agent":
			// It sends the first value, and none if that is empty.
			values = values[:min(len(values), 1)]
			if len(values) == 0 || values[0] == "" {
				continue
			}
		}
		for _, value := range values {
			fields = append(fields, field{http.CanonicalHeaderKey(name), value})
		}
	}
	return fields
}

func headerOf(fields []field) http.Header {
	header := http.Header{}
	for _, one := range fields {
		header[http.CanonicalHeaderKey(one.name)] = append(header[http.CanonicalHeaderKey(one.name)], one.value)
	}
	return header
}
