// SPDX-License-Identifier: MIT
// What ajv, the validator of editors, says. Usage: ajv.js SCHEMA CONFIGURATIONS (a list): prints whether each passes.
// Fails for a schema with words that it does not know. Debian 12 has ajv 6, Debian 13 has ajv 8, which has a strict mode.
const fs = require('fs');
const Ajv = require('ajv');

const [schema, configurations] = process.argv.slice(2).map((file) => JSON.parse(fs.readFileSync(file, 'utf8')));
// A type that is one of several, and what must be there said apart from what it is, are meant so.
const strict = Ajv.default ? {strict: true, allowUnionTypes: true, strictRequired: false}
                           : {strictKeywords: true, strictDefaults: true};
const validate = new (Ajv.default || Ajv)(strict).compile(schema);
console.log(JSON.stringify(configurations.map((each) => validate(each))));
