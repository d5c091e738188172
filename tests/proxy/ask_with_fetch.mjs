// A program as people write it with the fetch that Node brings. Arguments: paths. Prints each status and reply.
for (const path of process.argv.slice(2)) {
  const reply = await fetch(`https://api.bilibili.com${path}`);
  console.log(reply.status, await reply.text());
}
