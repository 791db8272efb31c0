// Nothing is transpiled, as by default: webpack 4 parses what the package has for it.
module.exports = { mode: "production", entry: "./main.js", output: { path: `${__dirname}/dist`, filename: "main.js" } };
