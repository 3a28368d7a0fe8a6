// The package is one CommonJS build; this is its ESM face. Both kinds of import share the one instance.
export * from './dist/index.js'
