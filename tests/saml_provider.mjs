// A real SAML provider: it asks who it is, and has the browser post what it says of them to the site.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { MODULES, PORT, ACCOUNTS, KEY, CERT, CALLBACK } = process.env;
const require = createRequire(`${MODULES}/package.json`);
const express = require("express");
const samlp = require("samlp");

const issuer = `http://localhost:${PORT}`;
const signing = { issuer, key: readFileSync(KEY, "utf8"), cert: readFileSync(CERT, "utf8") };
function mapper(user) {
  return {
    getClaims: () => user.attributes,
    getNameIdentifier: () => ({ nameIdentifier: user.nameId, nameIdentifierFormat: user.nameIdFormat }),
  };
}
mapper.prototype.metadata = [];
const endpoints = { redirectEndpointPath: "/sso", postEndpointPath: "/sso" };
const app = express();
app.get("/metadata", samlp.metadata({ ...signing, ...endpoints, profileMapper: mapper }));
app.get("/sso", (request, response, next) => {
  const { SAMLRequest, login } = request.query;
  if (!login) {
    response.send(`<!doctype html><title>Log in</title><form action="/sso">
      <input type="hidden" name="SAMLRequest" value="${SAMLRequest.replace(/[^\w+/=]/g, "")}">
      <label>Login <input name="login"></label> <button>Log in</button></form>`);
    return;
  }
  const user = JSON.parse(readFileSync(ACCOUNTS))[login];
  const options = { ...signing, profileMapper: mapper, destination: CALLBACK, recipient: CALLBACK, ...user.options };
  options.getUserFromRequest = () => user;
  options.getPostURL = (_audience, _request, _http, done) => done(null, CALLBACK);
  samlp.auth(options)(request, response, next);
});
app.listen(Number(PORT), "127.0.0.1");
