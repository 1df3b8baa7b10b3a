// Creates, searches with paging, patches and deletes through fhir-kit-client; prints what it saw as JSON.
import { Client } from "fhir-kit-client";

const [baseUrl, system] = process.argv.slice(2);
const client = new Client({ baseUrl });
const seen = { created: [], pages: [] };

for (const value of ["1", "2", "3", "4", "5"]) {
  const body = { resourceType: "Basic", identifier: [{ system, value }], code: { text: "kit" } };
  seen.created.push((await client.create({ resourceType: "Basic", body })).id);
}

let bundle = await client.search({
  resourceType: "Basic",
  searchParams: { identifier: `${system}|`, _count: 2, _sort: "_id" },
});
while (bundle) {
  seen.pages.push(bundle.entry.map((entry) => entry.resource.id));
  bundle = await client.nextPage({ bundle });
}

const [id] = seen.created;
const jsonPatch = [{ op: "replace", path: "/code/text", value: "patched" }];
await client.patch({ resourceType: "Basic", id, jsonPatch });
seen.patched = (await client.read({ resourceType: "Basic", id })).code.text;

await client.delete({ resourceType: "Basic", id });
seen.afterDelete = await client.read({ resourceType: "Basic", id }).then(
  () => 200,
  (error) => error.response.status,
);
console.log(JSON.stringify(seen));
