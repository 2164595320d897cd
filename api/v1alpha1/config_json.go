package v1alpha1

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	kjson "sigs.k8s.io/json"
)

// Extra holds the keys that this API does not name, with their JSON text. They reach drasi-server unchanged.
type Extra map[string]apiextensionsv1.JSON

// decodeWithExtra decodes an object into known, a pointer to a struct without methods, and returns the keys that the struct does not name.
// Names are compared exactly: drasi-server's keys are case-sensitive, encoding/json's are not.
func decodeWithExtra(data []byte, known any) (Extra, error) {
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, known); err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for name := range jsonNames(reflect.TypeOf(known).Elem()) {
		delete(all, name)
	}
	if len(all) == 0 {
		return nil, nil
	}
	extra := make(Extra, len(all))
	for name, raw := range all {
		extra[name] = apiextensionsv1.JSON{Raw: raw}
	}
	return extra, nil
}

// encodeWithExtra encodes known, a struct without methods, together with the keys that it does not name. Keys come out sorted.
func encodeWithExtra(known any, extra Extra) ([]byte, error) {
	data, err := json.Marshal(known)
	if err != nil {
		return nil, err
	}
	if len(extra) == 0 {
		return data, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for name, value := range extra {
		if _, taken := all[name]; taken {
			return nil, fmt.Errorf("key %q is a known one and may not stand among the extra keys", name)
		}
		all[name] = value.Raw
	}
	return json.Marshal(all)
}

// jsonNames lists the JSON names of a struct's fields.
func jsonNames(t reflect.Type) map[string]bool {
	names := make(map[string]bool, t.NumField())
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			names[name] = true
		}
	}
	return names
}

type (
	plainServerConfig    ServerConfig
	plainSource          SourceConfig
	plainQuery           QueryConfig
	plainQuerySource     QuerySource
	plainQueryJoin       QueryJoin
	plainQueryJoinKey    QueryJoinKey
	plainMiddleware      QueryMiddleware
	plainReaction        ReactionConfig
	plainBootstrap       BootstrapProvider
	plainIdentity        IdentityProvider
	plainStateStore      StateStore
	plainSecretStore     SecretStore
	plainPluginRef       PluginReference
	plainTrustedIdentity TrustedIdentity
	plainInstance        InlineInstance
)

// MarshalJSON writes the named keys and the others.
func (c ServerConfig) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainServerConfig(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *ServerConfig) UnmarshalJSON(data []byte) (err error) {
	var known plainServerConfig
	known.Extra, err = decodeWithExtra(data, &known)
	*c = ServerConfig(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c SourceConfig) MarshalJSON() ([]byte, error) { return encodeWithExtra(plainSource(c), c.Extra) }

// UnmarshalJSON keeps every key.
func (c *SourceConfig) UnmarshalJSON(data []byte) (err error) {
	var known plainSource
	known.Extra, err = decodeWithExtra(data, &known)
	*c = SourceConfig(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c QueryConfig) MarshalJSON() ([]byte, error) { return encodeWithExtra(plainQuery(c), c.Extra) }

// UnmarshalJSON keeps every key.
func (c *QueryConfig) UnmarshalJSON(data []byte) (err error) {
	var known plainQuery
	known.Extra, err = decodeWithExtra(data, &known)
	*c = QueryConfig(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c QuerySource) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainQuerySource(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *QuerySource) UnmarshalJSON(data []byte) (err error) {
	var known plainQuerySource
	known.Extra, err = decodeWithExtra(data, &known)
	*c = QuerySource(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c QueryJoin) MarshalJSON() ([]byte, error) { return encodeWithExtra(plainQueryJoin(c), c.Extra) }

// UnmarshalJSON keeps every key.
func (c *QueryJoin) UnmarshalJSON(data []byte) (err error) {
	var known plainQueryJoin
	known.Extra, err = decodeWithExtra(data, &known)
	*c = QueryJoin(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c QueryJoinKey) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainQueryJoinKey(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *QueryJoinKey) UnmarshalJSON(data []byte) (err error) {
	var known plainQueryJoinKey
	known.Extra, err = decodeWithExtra(data, &known)
	*c = QueryJoinKey(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c QueryMiddleware) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainMiddleware(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *QueryMiddleware) UnmarshalJSON(data []byte) (err error) {
	var known plainMiddleware
	known.Extra, err = decodeWithExtra(data, &known)
	*c = QueryMiddleware(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c ReactionConfig) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainReaction(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *ReactionConfig) UnmarshalJSON(data []byte) (err error) {
	var known plainReaction
	known.Extra, err = decodeWithExtra(data, &known)
	*c = ReactionConfig(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c BootstrapProvider) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainBootstrap(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *BootstrapProvider) UnmarshalJSON(data []byte) (err error) {
	var known plainBootstrap
	known.Extra, err = decodeWithExtra(data, &known)
	*c = BootstrapProvider(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c IdentityProvider) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainIdentity(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *IdentityProvider) UnmarshalJSON(data []byte) (err error) {
	var known plainIdentity
	known.Extra, err = decodeWithExtra(data, &known)
	*c = IdentityProvider(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c StateStore) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainStateStore(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *StateStore) UnmarshalJSON(data []byte) (err error) {
	var known plainStateStore
	known.Extra, err = decodeWithExtra(data, &known)
	*c = StateStore(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c SecretStore) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainSecretStore(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *SecretStore) UnmarshalJSON(data []byte) (err error) {
	var known plainSecretStore
	known.Extra, err = decodeWithExtra(data, &known)
	*c = SecretStore(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c PluginReference) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainPluginRef(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *PluginReference) UnmarshalJSON(data []byte) (err error) {
	var known plainPluginRef
	known.Extra, err = decodeWithExtra(data, &known)
	*c = PluginReference(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c TrustedIdentity) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainTrustedIdentity(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *TrustedIdentity) UnmarshalJSON(data []byte) (err error) {
	var known plainTrustedIdentity
	known.Extra, err = decodeWithExtra(data, &known)
	*c = TrustedIdentity(known)
	return err
}

// MarshalJSON writes the named keys and the others.
func (c InlineInstance) MarshalJSON() ([]byte, error) {
	return encodeWithExtra(plainInstance(c), c.Extra)
}

// UnmarshalJSON keeps every key.
func (c *InlineInstance) UnmarshalJSON(data []byte) (err error) {
	var known plainInstance
	known.Extra, err = decodeWithExtra(data, &known)
	*c = InlineInstance(known)
	return err
}
