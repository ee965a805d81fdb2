// The job by openapi-fetch, on the types that openapi-typescript makes of the document.

import createClient from "openapi-fetch";
import { createInterface } from "node:readline";
import type { components, paths } from "./incidents";

type Schemas = components["schemas"];
type Incident = Schemas["Incident"];
type Answer<T> = { data?: T; error?: Schemas["Error"]; response: Response };

class Refused extends Error {
  constructor(
    readonly status: number,
    readonly body: Schemas["Error"],
  ) {
    super();
  }
}

let token = "";
const client = createClient<paths>({ baseUrl: process.argv[2] });
client.use({
  onRequest({ request }) {
    if (token) request.headers.set("Authorization", `Bearer ${token}`);
  },
});

function right<T>({ data, error, response }: Answer<T>): T {
  if (error) throw new Refused(response.status, error);
  return data as T;
}

function withTag(answer: Answer<Incident>) {
  return { incident: right(answer), etag: answer.response.headers.get("ETag") };
}

const path = (id: number) => ({ path: { id } });

const calls = {
  async use_token(wanted: { token: string }) {
    token = wanted.token;
    return null;
  },
  async log_in(body: Schemas["TokenObtainRequest"]) {
    const tokens = right(await client.POST("/api/identity/auth/jwt/create/", { body }));
    token = tokens.access;
    return tokens;
  },
  async renew(body: Schemas["TokenRefreshRequest"]) {
    const renewed = right(await client.POST("/api/identity/auth/jwt/refresh/", { body }));
    right(await client.POST("/api/identity/auth/jwt/verify/", { body: { token: renewed.access } }));
    return renewed;
  },
  async record({ key, ...body }: Schemas["IncidentRequest"] & { key: string }) {
    const params = { header: { "Idempotency-Key": key } };
    const answer = await client.POST("/api/v1/incidents/", { params, body });
    return { ...withTag(answer), replayed: answer.response.headers.get("Idempotency-Replayed") === "true" };
  },
  async list(query: NonNullable<paths["/api/v1/incidents/"]["get"]["parameters"]["query"]>) {
    return right(await client.GET("/api/v1/incidents/", { params: { query } }));
  },
  async read({ id }: { id: number }) {
    return withTag(await client.GET("/api/v1/incidents/{id}/", { params: path(id) }));
  },
  async change({ id, if_match, ...body }: Schemas["PatchedIncidentRequest"] & { id: number; if_match: string }) {
    const params = { ...path(id), header: { "If-Match": if_match } };
    return withTag(await client.PATCH("/api/v1/incidents/{id}/", { params, body }));
  },
  async comment({ id, ...body }: Schemas["CommentRequest"] & { id: number }) {
    return right(await client.POST("/api/v1/incidents/{id}/comments/", { params: path(id), body }));
  },
  async history({ id }: { id: number }) {
    return right(await client.GET("/api/v1/incidents/{id}/history/", { params: path(id) }));
  },
  async name_oneself(body: Schemas["PatchedUserRequest"]) {
    return right(await client.PATCH("/api/identity/auth/users/me/", { body }));
  },
  async users() {
    return right(await client.GET("/api/identity/auth/users/"));
  },
  async delete_oneself({ password }: { password: string }) {
    return right(await client.DELETE("/api/identity/auth/users/me/", { body: { current_password: password } }));
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { call, arguments: given } = JSON.parse(line) as { call: keyof typeof calls; arguments: never };
  try {
    console.log(JSON.stringify(await calls[call](given)));
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    const { code, attr } = refused.body.errors[0];
    console.log(JSON.stringify({ status: refused.status, code, attr }));
  }
}
