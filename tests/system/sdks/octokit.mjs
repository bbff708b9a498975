// What @octokit/rest gets to see of GitHub through us: one JSON object.
//
//     node octokit.mjs BASE_URL PLACEHOLDER

import { Octokit } from "@octokit/rest";

const [baseUrl, auth] = process.argv.slice(2);
const octokit = new Octokit({ auth, baseUrl, log: { debug() {}, info() {}, warn() {}, error() {} } });

const repository = await octokit.rest.repos.get({ owner: "octo", repo: "hello" });
const pages = await octokit.paginate(octokit.rest.repos.listForAuthenticatedUser, { per_page: 2 });
const issue = await octokit.rest.issues.create({ owner: "octo", repo: "hello", title: "Grüße & more" });
const missing = await octokit.rest.repos.get({ owner: "octo", repo: "missing" }).catch((error) => error.status);

console.log(JSON.stringify({
  repository: repository.data.full_name,
  pages: pages.map((each) => each.name),
  issue: issue.data.title,
  missing,
}));
