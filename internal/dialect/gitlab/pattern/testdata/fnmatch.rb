# Writes fnmatch.tsv: what Ruby itself makes of globs, with the flags that GitLab uses. Run: ruby fnmatch.rb > fnmatch.tsv
FLAGS = File::FNM_PATHNAME | File::FNM_DOTMATCH | File::FNM_EXTGLOB
named = [
  "*", "**", "**/", "**/*", "**/**", "*/**", "**/*.rb", "*.rb", "a/*", "a/**", "a/**/", "a/**/*", "a/**/b", "a/**/**/b", "a**/b", "**a/b", "***/b", "a/***/b", "/*.go", "./a", "./*", "a/.", "../*", "?", "??", "a?b", "a/?",
  ".*", ".*/*", "*/.*", "**/.*", ".a/**/b", "{a,b}", "{a,b}/*", "{a,b/c}/d", "{a,{b,c}}", "a{,b}", "a{}", "{}", "{,}", "{a", "a}", "{a,b", "a,b}", "{a}b}", "{**/,}*.rb", "{**,x}/b", "*.{rb,py,sh}", "{a,b}{c,d}", "\\{a,b\\}", "{a\\,b,c}", "{a,b\\}", "[{a,b}]",
  "[abc]", "[a-c]", "[!a]", "[^a]", "[]", "[]a]", "[!]", "[!]a]", "[a", "[a-]", "[-a]", "[a-", "[c-a]", "[a/b]", "a[/]b", "a[^x]b", "[\\]]", "[\\a-\\c]", "[a\\-c]", "[[]", "[*]", "[?]", "[.]*", "*[ab]", "[é]", "[à-ü]", "é*", "*é", "?",
  "\\*", "\\?", "\\[a]", "a\\", "\\", "a\\/b", "\\a", "*\\/b", "**\\/b", "a//b", "a/", "/", "", "**/a/**/b/**/c", "**/a/*/c", "*a*b*c*", "**/*a*/**/c", "a b", "a/b/", "**/b/", "src/**/*.go", "docker/scripts/**/*", "**/*.{json,yml}", "README*", "doc*/**/*.md"
]
paths = ["", "a", "b", "c", "ab", "ac", "a.rb", "x.py", ".a", ".a/b", ".rb", "a/b", "a/c", "a/.b", "a/b/c", "a/x/b", "a/x/y/b", "a/x/b/y/c", "b/c/d", "b/a", "ad", "bd", "a/a.rb", "x/y/z.rb", "a}", "{a", "{a,b}", "a,b", "}", "a]", "]", "[", "-", "*", "?", "[a]", "\\", "a\\", "é", "éa", "aé", "ü", "a//b", "/a", "./a", "a/", "a b", "axb", "xaxbxcx", "main.go", "cmd/main.go", "src/gitlab.com/p/p.go", "src/p.go", "docker/scripts/x/y", "README.md", "doc/x/a.md", "docs/a.md", "a.json", "x/a.yml", "a/**/b", "**"]
rows = named.product(paths)
rng = Random.new(20261122)
gp = ["a", "b", "*", "**", "**/", "/", "?", "[ab]", "[!a]", "[a-", "{a,b}", "{a,", "}", ",", ".", "\\", "é", "{*,b/}", "[", "]", "-"]
pp = ["a", "b", "c", "/", ".", "é", "ab", "a/b", "/b", "-"]
4000.times { rows << [Array.new(1 + rng.rand(6)) { gp.sample(random: rng) }.join, Array.new(rng.rand(6)) { pp.sample(random: rng) }.join] }
rows.uniq.each { |g, p| puts [g, p, File.fnmatch?(g, p, FLAGS) ? 1 : 0].join("\t") }
