// Creates, searches with paging, patches and deletes through SMART's fhirclient; prints what it saw as JSON.
import FhirClient from "fhirclient";

const [serverUrl, system] = process.argv.slice(2);
// In Node the library asks for a web request and its answer; a client without authorisation uses neither.
const request = { headers: { host: "localhost" }, url: "/", socket: {} };
const client = FhirClient(request, {}, {}).client(serverUrl);
const seen = { created: [], pages: [] };

for (const value of ["1", "2", "3", "4", "5"]) {
  const body = { resourceType: "Basic", identifier: [{ system, value }], code: { text: "smart" } };
  seen.created.push((await client.create(body)).id);
}

await client.request(`Basic?identifier=${encodeURIComponent(`${system}|`)}&_count=2&_sort=_id`, {
  pageLimit: 0,
  onPage: (bundle) => seen.pages.push(bundle.entry.map((entry) => entry.resource.id)),
});

const url = `Basic/${seen.created[0]}`;
await client.patch(url, [{ op: "replace", path: "/code/text", value: "patched" }]);
seen.patched = (await client.request(url)).code.text;

await client.delete(url);
seen.afterDelete = await client.request(url).then(
  () => 200,
  (error) => error.status,
);
console.log(JSON.stringify(seen));
