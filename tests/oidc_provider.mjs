// A real OpenID Connect provider: its clients have to prove that who began is who ends (PKCE).
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { MODULES, PORT, ACCOUNTS, CALLBACK } = process.env;
const { Provider } = await import(pathToFileURL(`${MODULES}/node_modules/oidc-provider/lib/index.js`).href);

const provider = new Provider(`http://127.0.0.1:${PORT}`, {
  clients: [{ client_id: "usage", client_secret: "a secret that no log may have", redirect_uris: [CALLBACK] }],
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
  scopes: ["openid", "email", "groups"],
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...JSON.parse(readFileSync(ACCOUNTS))[sub] }) }),
  features: { devInteractions: { enabled: true } },
});
provider.listen(Number(PORT), "127.0.0.1");
