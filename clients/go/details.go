package countersign

import (
	"errors"
	"slices"
)

// Limits in detail (RFC 9396), as the wire profile has them.

const (
	maxDetails       = 32
	maxDetailEntries = 100
	maxDetailDepth   = 8
	maxDetailValues  = 1000
)

var detailLists = []string{"actions", "locations", "datatypes", "privileges"}

type detail = map[string]any

func readDetails(value any) ([]detail, error) {
	list, ok := value.([]any)
	if !ok || len(list) == 0 || len(list) > maxDetails {
		return nil, errors.New("authorization_details must be a list of 1 to 32 objects, each with a type")
	}
	details := make([]detail, 0, len(list))
	for _, one := range list {
		read, err := readDetail(one)
		if err != nil {
			return nil, err
		}
		details = append(details, read)
	}
	if count := countValues(list, maxDetailDepth+1); count < 0 || count > maxDetailValues+1 {
		return nil, errors.New("authorization_details are too deep, or have more than 1000 values")
	}
	return details, nil
}

func readDetail(value any) (detail, error) {
	read, ok := value.(detail)
	kind, isText := read["type"].(string)
	if !ok || !isText || !isIdentifier(kind) {
		return nil, errors.New("each of the authorization_details must be an object with a type")
	}
	if identifier, has := read["identifier"]; has {
		if text, isText := identifier.(string); !isText || !isStringOrURI(text) {
			return nil, errors.New("the identifier of a detail must be text")
		}
	}
	for _, name := range detailLists {
		value, has := read[name]
		entries, isList := value.([]any)
		isWrong := func(entry any) bool {
			text, isText := entry.(string)
			return !isText || !isStringOrURI(text)
		}
		if has && (!isList || len(entries) == 0 || len(entries) > maxDetailEntries || slices.ContainsFunc(entries, isWrong)) {
			return nil, errors.New(name + " of a detail must be a list of 1 to 100 texts")
		}
	}
	return read, nil
}

// countValues counts the values in a value; less than 0 if it is too deep.
func countValues(value any, depth int) int {
	var items []any
	switch found := value.(type) {
	case []any:
		items = found
	case map[string]any:
		for _, item := range found {
			items = append(items, item)
		}
	default:
		return 1
	}
	if depth == 0 {
		return -1
	}
	count := 1
	for _, item := range items {
		inner := countValues(item, depth-1)
		if inner < 0 {
			return -1
		}
		count += inner
	}
	return count
}

// unknownMember finds a member that is none of RFC 9396 §2.2. A detail that has one covers no request.
func unknownMember(details []detail) string {
	for _, one := range details {
		for name := range one {
			if !isDetailMember(name) {
				return name
			}
		}
	}
	return ""
}

func isDetailMember(name string) bool {
	return name == "type" || name == "identifier" || slices.Contains(detailLists, name)
}

// detailsNarrow reports whether each detail of the child lies within one of the parent.
func detailsNarrow(child, parent []detail) bool {
	for _, narrow := range child {
		if !slices.ContainsFunc(parent, func(wide detail) bool { return isWithin(narrow, wide) }) {
			return false
		}
	}
	return true
}

func isWithin(narrow, wide detail) bool {
	if commonOf(narrow) != commonOf(wide) {
		return false
	}
	for _, name := range append([]string{"identifier"}, detailLists...) {
		limits, isLimited := wide[name]
		if !isLimited {
			continue
		}
		wanted, has := narrow[name]
		if !has {
			return false
		}
		for _, entry := range entriesOf(wanted) {
			if !slices.Contains(entriesOf(limits), entry) {
				return false
			}
		}
	}
	return true
}

// commonOf has what must be equal: the type, and unknown members, since each may limit or grant.
func commonOf(one detail) string {
	common := detail{}
	for name, value := range one {
		if name == "type" || !isDetailMember(name) {
			common[name] = value
		}
	}
	// Maps are written in the order of their names.
	text, err := toJSON(common)
	if err != nil {
		return ""
	}
	return string(text)
}

func entriesOf(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}
