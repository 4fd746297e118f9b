export { type InputDocument, type InputPrincipal, type InputResource, inputDocument } from './input-document.js';
export { type OpaServerOptions, opaServer } from './opa-server.js';
export { type OpaWasmOptions, opaWasm } from './opa-wasm.js';
