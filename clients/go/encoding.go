package countersign

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

func toBase64(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

func toBase64URL(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// fromBase64 reads canonical base64: one spelling for each value.
func fromBase64(text string) ([]byte, bool) { return canonical(base64.StdEncoding, text) }

// fromBase64URL reads canonical base64url without padding.
func fromBase64URL(text string) ([]byte, bool) { return canonical(base64.RawURLEncoding, text) }

func canonical(encoding *base64.Encoding, text string) ([]byte, bool) {
	data, err := encoding.DecodeString(text)
	// The decoder skips line ends.
	if err != nil || encoding.EncodeToString(data) != text {
		return nil, false
	}
	return data, true
}

// parseObject reads a JSON object. A member that is there twice is an error, at any depth.
func parseObject(data []byte) (map[string]any, bool) {
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, false
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	value, err := parseValue(decoder, maxJSONDepth)
	if err != nil {
		return nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false
	}
	object, ok := value.(map[string]any)
	return object, ok
}

const maxJSONDepth = 64

var errJSON = errors.New("this JSON is not read")

func parseValue(decoder *json.Decoder, depth int) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	open, isDelimiter := token.(json.Delim)
	if !isDelimiter {
		return token, nil
	}
	if depth == 0 {
		return nil, errJSON
	}
	if open == '[' {
		return parseList(decoder, depth)
	}
	return parseMembers(decoder, depth)
}

func parseList(decoder *json.Decoder, depth int) (any, error) {
	list := []any{}
	for decoder.More() {
		item, err := parseValue(decoder, depth-1)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	_, err := decoder.Token()
	return list, err
}

func parseMembers(decoder *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if _, twice := object[name]; twice {
			return nil, errJSON
		}
		if object[name], err = parseValue(decoder, depth-1); err != nil {
			return nil, err
		}
	}
	_, err := decoder.Token()
	return object, err
}

// jwtPart reads header (0) or payload (1) of a JWT, unverified: for checks of a credential that we hold, never a proof.
func jwtPart(jwt string, part int) (map[string]any, bool) {
	parts := strings.Split(jwt, ".")
	if part >= len(parts) {
		return nil, false
	}
	data, ok := fromBase64URL(parts[part])
	if !ok {
		return nil, false
	}
	return parseObject(data)
}

// toJSON writes JSON without white space, and text as it is.
func toJSON(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// plain turns any value of Go into what parseObject reads: maps, lists, strings, float64, bool and nil.
func plain(value any) (any, bool) {
	data, err := toJSON(map[string]any{"value": value})
	if err != nil {
		return nil, false
	}
	object, ok := parseObject(data)
	return object["value"], ok
}
