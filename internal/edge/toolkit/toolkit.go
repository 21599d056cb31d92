// Package toolkit serves, for the length of one run, what the official @actions/* packages of npm talk to: the results
// service with artifacts (version 4), the cache service (version 2, and 1 for older clients), the blob storage that both
// upload to and download from, and the issuer of ID tokens (GitHub Docs, "OpenID Connect reference").
//
// It listens on the loopback address alone, or on others that it is told, and only once a job asks for it. Every request
// needs the token of a job that has not ended, or an address that was signed for such a job; a job writes in its own
// name only. Nothing is held in memory whole, and what a job can store is bounded. It answers to no other host name.
package toolkit
