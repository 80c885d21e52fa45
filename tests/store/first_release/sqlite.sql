-- A database of the first release (revision 0001): two weekly issues, the second one sent by half when its process died.
-- test_upgrade.py tells what is in it. Written by that release's own code; never to be changed.

BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE archives (
	topic TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	lines TEXT NOT NULL, 
	written BOOLEAN NOT NULL, 
	CONSTRAINT pk_archives PRIMARY KEY (topic, number)
);
CREATE TABLE article_identities (
	identity TEXT NOT NULL, 
	article_key TEXT NOT NULL, 
	CONSTRAINT pk_article_identities PRIMARY KEY (identity), 
	CONSTRAINT fk_article_identities_article_key FOREIGN KEY(article_key) REFERENCES articles ("key")
);
INSERT INTO "article_identities" VALUES('title:Waste','key0000000000001');
INSERT INTO "article_identities" VALUES('title:Old','key0000000000002');
INSERT INTO "article_identities" VALUES('title:Numbers','key0000000000003');
INSERT INTO "article_identities" VALUES('title:Plastics','key0000000000004');
INSERT INTO "article_identities" VALUES('title:Lists','key0000000000005');
CREATE TABLE article_revisions (
	article_key TEXT NOT NULL, 
	revision INTEGER NOT NULL, 
	title TEXT NOT NULL, 
	summary TEXT NOT NULL, 
	body TEXT NOT NULL, 
	text TEXT NOT NULL, 
	author TEXT, 
	language TEXT NOT NULL, 
	source_url TEXT, 
	published DATETIME NOT NULL, 
	updated DATETIME NOT NULL, 
	stamp INTEGER NOT NULL, 
	explicit_topics TEXT, 
	fingerprint TEXT NOT NULL, 
	corrected DATETIME, 
	correction TEXT NOT NULL, 
	CONSTRAINT pk_article_revisions PRIMARY KEY (article_key, revision), 
	CONSTRAINT fk_article_revisions_article_key FOREIGN KEY(article_key) REFERENCES articles ("key")
);
INSERT INTO "article_revisions" VALUES('key0000000000003',1,'Numbers','News on data.','<p>News on data.</p>','News on data.',NULL,'en',NULL,'2026-03-02 09:00:00','2026-03-02 09:00:00',3,NULL,'5a40d6aa68bc956968de9f99493be0e2908c7dee1354b4fbecbbc22f6afef471',NULL,'');
CREATE TABLE articles (
	"key" TEXT NOT NULL, 
	entry_id TEXT NOT NULL, 
	slug TEXT NOT NULL, 
	slug_base TEXT NOT NULL, 
	title TEXT NOT NULL, 
	summary TEXT NOT NULL, 
	body TEXT NOT NULL, 
	text TEXT NOT NULL, 
	author TEXT, 
	language TEXT NOT NULL, 
	source_url TEXT, 
	published DATETIME NOT NULL, 
	first_seen DATETIME NOT NULL, 
	updated DATETIME NOT NULL, 
	revision INTEGER NOT NULL, 
	stamp INTEGER NOT NULL, 
	explicit_topics TEXT, 
	fingerprint TEXT NOT NULL, 
	origin TEXT NOT NULL, 
	touched INTEGER NOT NULL, 
	corrected DATETIME, 
	correction TEXT NOT NULL, 
	withdrawn DATETIME, 
	withdrawal TEXT NOT NULL, 
	CONSTRAINT pk_articles PRIMARY KEY ("key"), 
	CONSTRAINT uq_articles_entry_id UNIQUE (entry_id), 
	CONSTRAINT uq_articles_slug UNIQUE (slug), 
	CONSTRAINT uq_articles_stamp UNIQUE (stamp)
);
INSERT INTO "articles" VALUES('key0000000000001','tag:publisher.example,2026:article/key0000000000001','waste','waste','Waste','News on environment.','<p>News on environment.</p>','News on environment.',NULL,'en',NULL,'2026-03-02 08:59:58','2026-03-02 08:59:58','2026-03-02 08:59:58',1,1,NULL,'adb801a25322562bcda7785e113894d6866397330786699e7d1031e93e4a1e2b','/srv/news/articles/Waste.md',2,NULL,'',NULL,'');
INSERT INTO "articles" VALUES('key0000000000002','tag:publisher.example,2026:article/key0000000000002','old','old','Old','News on environment, soon withdrawn.','<p>News on environment, soon withdrawn.</p>','News on environment, soon withdrawn.',NULL,'en',NULL,'2026-03-02 08:59:59','2026-03-02 08:59:59','2026-03-02 09:00:01',1,10,NULL,'930ed0162c70ba2cb64a69f8165c47cd34c1ed10bfa72be6bc8c48a6fc6e0af7','/srv/news/articles/Old.md',3,NULL,'','2026-03-02 09:00:01','It was a mistake.');
INSERT INTO "articles" VALUES('key0000000000003','tag:publisher.example,2026:article/key0000000000003','numbers','numbers','Numbers','News on data, and on environment too.','<p>News on data, and on environment too.</p>','News on data, and on environment too.',NULL,'en',NULL,'2026-03-02 09:00:00','2026-03-02 09:00:00','2026-03-09 09:00:00',2,13,NULL,'f6409e9ac37da2935e28e4a67a77ebbb9320e830730a236d771cb505f5b15299','/srv/news/articles/Numbers.md',6,'2026-03-09 09:00:00','There is more.',NULL,'');
INSERT INTO "articles" VALUES('key0000000000004','tag:publisher.example,2026:article/key0000000000004','plastics','plastics','Plastics','More news on environment.','<p>More news on environment.</p>','More news on environment.',NULL,'en',NULL,'2026-03-09 08:59:58','2026-03-09 08:59:58','2026-03-09 08:59:58',1,11,NULL,'3e71cc9d1e4d0ec2e1996ee94d5b99e673aea3a774df93a8ca5be9e1b6c60ad4','/srv/news/articles/Plastics.md',6,NULL,'',NULL,'');
INSERT INTO "articles" VALUES('key0000000000005','tag:publisher.example,2026:article/key0000000000005','lists','lists','Lists','More news on data.','<p>More news on data.</p>','More news on data.',NULL,'en',NULL,'2026-03-09 08:59:59','2026-03-09 08:59:59','2026-03-09 08:59:59',1,12,NULL,'ac46b66a311c064a6d469364ac1d2e5970d192932972c8fac7e5ef0b8bf2ed2d','/srv/news/articles/Lists.md',6,NULL,'',NULL,'');
CREATE TABLE counters (
	name TEXT NOT NULL, 
	value INTEGER NOT NULL, 
	CONSTRAINT pk_counters PRIMARY KEY (name)
);
INSERT INTO "counters" VALUES('article stamp',18);
INSERT INTO "counters" VALUES('articles touched',6);
INSERT INTO "counters" VALUES('filing seq',11);
CREATE TABLE deliveries (
	issue_id INTEGER NOT NULL, 
	subscriber_id INTEGER NOT NULL, 
	edition_id INTEGER, 
	state TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_attempt DATETIME, 
	reply TEXT NOT NULL, 
	changed DATETIME NOT NULL, 
	claimed_from TEXT, 
	claim_until DATETIME, 
	CONSTRAINT pk_deliveries PRIMARY KEY (issue_id, subscriber_id), 
	CONSTRAINT fk_deliveries_edition_id FOREIGN KEY(edition_id) REFERENCES editions (id), 
	CONSTRAINT fk_deliveries_issue_id FOREIGN KEY(issue_id) REFERENCES issues (id)
);
INSERT INTO "deliveries" VALUES(1,1,1,'accepted','',1,NULL,'250 2.0.0 taken','2026-03-02 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(1,2,2,'accepted','',1,NULL,'250 2.0.0 taken','2026-03-02 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(1,3,1,'accepted','',1,NULL,'250 2.0.0 taken','2026-03-02 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(1,4,2,'accepted','',1,NULL,'250 2.0.0 taken','2026-03-02 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(1,5,1,'accepted','',1,NULL,'250 2.0.0 taken','2026-03-02 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(1,6,2,'accepted','',1,NULL,'250 2.0.0 taken','2026-03-02 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(1,7,1,'accepted','',1,NULL,'250 2.0.0 taken','2026-03-02 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(1,8,2,'accepted','',1,NULL,'250 2.0.0 taken','2026-03-02 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(1,9,NULL,'suppressed','nothing new',0,NULL,'','2026-03-02 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(2,1,3,'accepted','',1,NULL,'250 2.0.0 taken','2026-03-09 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(2,2,4,'deferred','the relay has trouble of its own',1,'2026-03-09 09:15:17','451 4.3.0 later','2026-03-09 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(2,3,3,'rejected','refused by policy: our reputation or content',1,NULL,'550 5.7.1 no','2026-03-09 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(2,4,4,'uncertain','the connection was lost before the relay''s final answer (RFC 1047)',1,'2026-03-09 09:10:00','','2026-03-09 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(2,5,3,'handing over','',1,NULL,'','2026-03-09 09:00:00','planned','2026-03-09 09:15:00');
INSERT INTO "deliveries" VALUES(2,6,4,'planned','',0,NULL,'','2026-03-09 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(2,7,3,'planned','',0,NULL,'','2026-03-09 09:00:00',NULL,NULL);
INSERT INTO "deliveries" VALUES(2,8,4,'planned','',0,NULL,'','2026-03-09 09:00:00',NULL,NULL);
CREATE TABLE departures (
	seq INTEGER NOT NULL, 
	article_key TEXT NOT NULL, 
	topic TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	filed_at DATETIME NOT NULL, 
	published DATETIME NOT NULL, 
	stamp INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	"left" DATETIME, 
	withdrawn BOOLEAN NOT NULL, 
	archived BOOLEAN NOT NULL, 
	CONSTRAINT pk_departures PRIMARY KEY (seq), 
	CONSTRAINT fk_departures_article_key FOREIGN KEY(article_key) REFERENCES articles ("key"), 
	CONSTRAINT uq_departures_article_key_topic UNIQUE (article_key, topic)
);
INSERT INTO "departures" VALUES(3,'key0000000000002','environment','word "environment" in the text','2026-03-02 09:00:00','2026-03-02 08:59:59',10,'notice',NULL,1,0);
INSERT INTO "departures" VALUES(4,'key0000000000002','all','every article','2026-03-02 09:00:00','2026-03-02 08:59:59',10,'notice',NULL,1,0);
CREATE TABLE documents (
	path TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	size INTEGER NOT NULL, 
	first_written DATETIME NOT NULL, 
	CONSTRAINT pk_documents PRIMARY KEY (path)
);
INSERT INTO "documents" VALUES('assets/style.css','3dff9179f1106d0874ea8924ab9b21359dff1f2f001ead15123add40089a7892',14717,'2026-03-02 09:00:00');
INSERT INTO "documents" VALUES('assets/icon.svg','eb2364ff5af2f71c916a1f7a9c3d7dd4e04b4d01771c2c811768c81ac20e02c7',168,'2026-03-02 09:00:00');
INSERT INTO "documents" VALUES('404.html','8badfdfc52a895ddf2f99b1aaeaacb14e8330a7aba6aa18186e134a4c97edc81',1644,'2026-03-02 09:00:00');
INSERT INTO "documents" VALUES('articles/waste/index.html','6b18278190cf53e063b0341a32fdaaefb7a58854f07b3c9fd20a157d1fbab0ed',2390,'2026-03-02 09:00:00');
INSERT INTO "documents" VALUES('articles/old/index.html','95784a8a06d35d5b5dd558038b930b7821e2afc56a86037a033c5bafc02d87e8',1807,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('articles/numbers/index.html','9762bba915c8041e19ed5684a941d4abe4b65c95886553d608a7d05aa32ebf48',2800,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('topics/environment/index.html','1991a11e217abfa8d7927a312d03d669cf617dc7e08624e201061cbfe71faf6b',4811,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('topics/drugs/index.html','dd53cc4a95ef16252bb25dee20760b4d22efae04a501770dab9e870711c858bb',3929,'2026-03-02 09:00:00');
INSERT INTO "documents" VALUES('topics/data/index.html','2ba700b93f494639bd52228a4cb553beb8c0a4e6eb5eceb122bfcfe243d12224',4447,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('index.html','6168868d71bdcd760f07d260d6e2779d2ec507d4474f2885edb8380a379e82af',7377,'2026-03-09 09:00:01');
INSERT INTO "documents" VALUES('feeds/all.atom','debd0aea3e939081fc00845d551f0d07dce725a09c6bb31875045ec094913c5c',3527,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('feeds/all.rss','2730e7dded4de0de84f9b8a60cdebe38a8b2e744f7a8687c25c62751c3bcf150',3764,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('feeds/all.json','f17376394a12b54f0a4e3a7ab8fafbf35fb6c1ded418e7b6bc84700d3704c6dc',2312,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('feeds.opml','a1a8443cd28349c80a1c82fbfd987e237c9c149532b02d4311c58dea45b3ef21',1060,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('feeds/environment.atom','2dd3f813b734c1a277fbf10ef9dd2a9769533f631093e840c21d6c6fd55d83e6',2960,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('feeds/environment.rss','19f1f544a576ea3de62da0aa035e8bf70ab6883612f20aa123544af28b5c1070',3195,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('feeds/environment.json','0db8cd289ae89cc3c91f02d46b5ca45eaba12a280adca69dfcc0ab028b5a4fd3',1911,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('feeds/drugs.atom','6056ddc59cc8e8e45c2706148b16eb251177649ea5206253c9f550eee20b498b',581,'2026-03-02 09:00:00');
INSERT INTO "documents" VALUES('feeds/drugs.rss','b75625c74db2aa00cedb9996b9638be31b3c3ca65b5fa8a99016d3e70c8f91fe',665,'2026-03-02 09:00:00');
INSERT INTO "documents" VALUES('feeds/drugs.json','e4d92901f6d5899b625dea6dbedab9bc5ef66a491953f841a91e7aedad816baa',279,'2026-03-02 09:00:00');
INSERT INTO "documents" VALUES('feeds/data.atom','f3365f42ef351dff3013377fa01a34d4b19b6bdc8cd05752135e4e2c8524611f',1838,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('feeds/data.rss','6e26f3e1cf0925e2c91418c2d4e77cd772fd72ed604a3ab38631427d7106ab0c',1992,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('feeds/data.json','c001e8feae2f107be37390a45d43d1db098660bd01362c6bd744c373d9850a3a',1097,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('issues/weekly-1/index.html','54becd704efb72dbbba2df930fd88ecd7b02c1477d99c12e0fad6d059a7edc46',3432,'2026-03-02 09:00:00');
INSERT INTO "documents" VALUES('articles/plastics/index.html','9384203a13c9c9418c8559dec10c556c6ac32907b708293ce521fb0d514defb4',2420,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('articles/lists/index.html','98055086f263272407682636aa8be832d10cd1fe4b554ee3d0185ca032889bc1',2342,'2026-03-09 09:00:00');
INSERT INTO "documents" VALUES('issues/weekly-2/index.html','a566e3c796423200e4927e183e141f3aca51659f2448737c92657396e7ea39ee',3571,'2026-03-09 09:00:00');
CREATE TABLE edition_articles (
	edition_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	topic TEXT NOT NULL, 
	article_key TEXT NOT NULL, 
	CONSTRAINT pk_edition_articles PRIMARY KEY (edition_id, position), 
	CONSTRAINT fk_edition_articles_article_key FOREIGN KEY(article_key) REFERENCES articles ("key"), 
	CONSTRAINT fk_edition_articles_edition_id FOREIGN KEY(edition_id) REFERENCES editions (id)
);
INSERT INTO "edition_articles" VALUES(1,0,'environment','key0000000000002');
INSERT INTO "edition_articles" VALUES(1,1,'environment','key0000000000001');
INSERT INTO "edition_articles" VALUES(2,0,'environment','key0000000000002');
INSERT INTO "edition_articles" VALUES(2,1,'environment','key0000000000001');
INSERT INTO "edition_articles" VALUES(2,2,'data','key0000000000003');
INSERT INTO "edition_articles" VALUES(3,0,'environment','key0000000000004');
INSERT INTO "edition_articles" VALUES(3,1,'environment','key0000000000003');
INSERT INTO "edition_articles" VALUES(4,0,'environment','key0000000000004');
INSERT INTO "edition_articles" VALUES(4,1,'data','key0000000000005');
CREATE TABLE editions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	issue_id INTEGER NOT NULL, 
	fingerprint TEXT NOT NULL, 
	language TEXT NOT NULL, 
	subject TEXT, 
	text TEXT, 
	html TEXT, 
	CONSTRAINT fk_editions_issue_id FOREIGN KEY(issue_id) REFERENCES issues (id), 
	CONSTRAINT uq_editions_issue_id_fingerprint UNIQUE (issue_id, fingerprint)
);
INSERT INTO "editions" VALUES(1,1,'35de0238cd1d11def0eec622ccdf93947dc0e7c480ba416082c052c603e7dbf7','en','Old, and 1 more · Weekly no. 1','Customs news
Weekly no. 1, 2 March 2026

2 new articles on topics you follow:
  Environment (2)

On the web:
https://news.example/issues/weekly-1/

Unsubscribe:
﷐unsubscribe﷑


Environment
-----------

* Old
  2 March 2026

  News on environment, soon withdrawn.

  https://news.example/articles/old/

* Waste
  2 March 2026

  News on environment.

  https://news.example/articles/waste/

------------------------------------------------------------------------

You get this letter because you subscribed to the weekly digest of
Customs news for topics covered here: Environment.
It was sent to:
﷐recipient﷑

Change topics or frequency:
﷐preferences﷑

Unsubscribe:
﷐unsubscribe﷑

Customs news: https://news.example/
','<!DOCTYPE html><html lang="en" dir="ltr" xmlns="http://www.w3.org/1999/xhtml" xmlns:o="urn:schemas-microsoft-com:office:office" style="color-scheme: light dark;supported-color-schemes: light dark;"><head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no">
<meta name="x-apple-disable-message-reformatting">
<title>Customs news: Weekly no. 1</title>
<!--[if mso]>
<xml><o:OfficeDocumentSettings><o:PixelsPerInch>96</o:PixelsPerInch></o:OfficeDocumentSettings></xml>
<style>td, p, h1, h2, h3, a { font-family: Arial, sans-serif !important; }</style>
<![endif]-->
<style>.more { padding: 18px 32px 22px; border-top: 1px solid #dde3e8; font-size: 16px; line-height: 24px; color: #36424e; }
@media (max-width: 480px) {
  .gap { padding: 0 0 16px !important; }
  .head, .topic, .article, .more, .foot { padding-left: 20px !important; padding-right: 20px !important; }
  h1 { font-size: 23px !important; line-height: 29px !important; }
}
@media (prefers-color-scheme: dark) {
  body, .page { background-color: #12161a !important; }
  .card { background-color: #1c2126 !important; border-top-color: #79a7bf !important; }
  .topic { background-color: #232a31 !important; }
  .topic, .article, .more { border-top-color: #343d47 !important; }
  h1, h2 { color: #eceff2 !important; }
  .excerpt, .covers, .more { color: #cdd4db !important; }
  .small, .foot-line { color: #a5b0bb !important; }
  a, a.plain { color: #79a7bf !important; }
  a.ink { color: #eceff2 !important; }
  a.quiet { color: #a5b0bb !important; }
}
a.plain:hover { text-decoration: underline !important; }</style>
</head>
<body style="margin: 0;padding: 0;width: 100%;background-color: #eef1f4;">
<div lang="en" dir="ltr" role="article" aria-roledescription="email" aria-label="Customs news: Weekly no. 1">
<div class="preheader" style="display: none;max-height: 0;overflow: hidden;font-size: 1px;line-height: 1px;color: #eef1f4;mso-hide: all;">Waste</div>
<table class="page" role="presentation" cellspacing="0" width="100%" border="0" cellpadding="0" style="border-collapse: collapse;border-spacing: 0;background-color: #eef1f4;">
<tbody><tr><td class="gap" align="center" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 24px 12px;">
<!--[if mso]><table role="presentation" width="600" align="center" border="0" cellpadding="0" cellspacing="0"><tr><td width="600"><![endif]-->
<table role="presentation" width="100%" border="0" cellpadding="0" cellspacing="0" align="center" style="border-collapse: collapse;border-spacing: 0;max-width: 600px">
<tbody><tr><td style="padding: 0;font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;">
<table class="card" role="presentation" cellspacing="0" width="100%" border="0" cellpadding="0" style="border-collapse: collapse;border-spacing: 0;background-color: #ffffff;border-top: 4px solid #0b5f8a;">
<tbody><tr><td class="head" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 24px 32px 20px;">
<p class="site" style="margin: 0;font-size: 15px;line-height: 22px;font-weight: bold;"><a class="plain" href="https://news.example/" style="color: #0b5f8a;text-decoration: none;">Customs news</a></p>
<p class="small" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;">Weekly no. 1, 2 March 2026</p>
<h1 style="margin: 0;padding: 14px 0 4px;font-size: 26px;line-height: 32px;font-weight: bold;color: #1c2630;">2 new articles on your topics</h1>
<p class="covers" style="margin: 0;font-size: 15px;line-height: 22px;color: #36424e;">Environment&nbsp;(2)</p>
<p class="small ways" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 14px;"><a class="quiet" href="https://news.example/issues/weekly-1/" style="text-decoration: underline;color: #56616d;">Read on the web</a> &nbsp;·&nbsp; <a class="quiet" href="﷐unsubscribe﷑" style="text-decoration: underline;color: #56616d;">Unsubscribe</a></p>
</td></tr>
<tr><td class="topic" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 12px 32px 11px;border-top: 1px solid #dde3e8;background-color: #f6f8fa;"><h2 style="margin: 0;font-size: 16px;line-height: 22px;font-weight: bold;color: #1c2630;"><a class="plain ink" href="https://news.example/topics/environment/" style="color: #1c2630;text-decoration: none;">Environment</a></h2></td></tr>
<tr><td class="article" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 18px 32px 20px;border-top: 1px solid #dde3e8;">
<h3 style="margin: 0;font-size: 18px;line-height: 25px;font-weight: bold;"><a class="plain" href="https://news.example/articles/old/" style="color: #0b5f8a;text-decoration: none;">Old</a></h3>
<p class="excerpt" style="margin: 0;padding-top: 6px;font-size: 15px;line-height: 23px;color: #36424e;">News on environment, soon withdrawn.</p>
<p class="small facts" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 6px;">2 March 2026</p>
</td></tr>
<tr><td class="article" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 18px 32px 20px;border-top: 1px solid #dde3e8;">
<h3 style="margin: 0;font-size: 18px;line-height: 25px;font-weight: bold;"><a class="plain" href="https://news.example/articles/waste/" style="color: #0b5f8a;text-decoration: none;">Waste</a></h3>
<p class="excerpt" style="margin: 0;padding-top: 6px;font-size: 15px;line-height: 23px;color: #36424e;">News on environment.</p>
<p class="small facts" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 6px;">2 March 2026</p>
</td></tr>
</tbody></table>
<table role="presentation" width="100%" border="0" cellpadding="0" cellspacing="0" style="border-collapse: collapse;border-spacing: 0;">
<tbody><tr><td class="foot" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 20px 32px 8px;">
<p class="small" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;">You get this letter because you subscribed to the weekly digest of Customs news, for topics covered here: Environment. It was sent to ﷐recipient﷑.</p>
<p class="foot-line" style="margin: 0;padding-top: 10px;font-size: 14px;line-height: 21px;color: #56616d;"><a class="quiet" href="﷐preferences﷑" style="text-decoration: underline;color: #56616d;">Change topics or frequency</a> &nbsp;·&nbsp; <a class="quiet" href="﷐unsubscribe﷑" style="text-decoration: underline;color: #56616d;">Unsubscribe</a> &nbsp;·&nbsp; <a class="quiet" href="https://news.example/issues/weekly-1/" style="text-decoration: underline;color: #56616d;">Weekly no. 1 on the web</a></p>
</td></tr>
</tbody></table>
</td></tr>
</tbody></table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr>
</tbody></table>
</div>

</body></html>');
INSERT INTO "editions" VALUES(2,1,'a785e73fbe7bd4a15cb2047e414ba45edd2e0a1ff90f18f5651907be56bb58a8','en','Old, and 2 more · Weekly no. 1','Customs news
Weekly no. 1, 2 March 2026

3 new articles on topics you follow:
  Environment (2)
  Data (1)

On the web:
https://news.example/issues/weekly-1/

Unsubscribe:
﷐unsubscribe﷑


Environment
-----------

* Old
  2 March 2026

  News on environment, soon withdrawn.

  https://news.example/articles/old/

* Waste
  2 March 2026

  News on environment.

  https://news.example/articles/waste/


Data
----

* Numbers
  2 March 2026

  News on data.

  https://news.example/articles/numbers/

------------------------------------------------------------------------

You get this letter because you subscribed to the weekly digest of
Customs news for topics covered here: Environment; Data.
It was sent to:
﷐recipient﷑

Change topics or frequency:
﷐preferences﷑

Unsubscribe:
﷐unsubscribe﷑

Customs news: https://news.example/
','<!DOCTYPE html><html lang="en" dir="ltr" xmlns="http://www.w3.org/1999/xhtml" xmlns:o="urn:schemas-microsoft-com:office:office" style="color-scheme: light dark;supported-color-schemes: light dark;"><head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no">
<meta name="x-apple-disable-message-reformatting">
<title>Customs news: Weekly no. 1</title>
<!--[if mso]>
<xml><o:OfficeDocumentSettings><o:PixelsPerInch>96</o:PixelsPerInch></o:OfficeDocumentSettings></xml>
<style>td, p, h1, h2, h3, a { font-family: Arial, sans-serif !important; }</style>
<![endif]-->
<style>.more { padding: 18px 32px 22px; border-top: 1px solid #dde3e8; font-size: 16px; line-height: 24px; color: #36424e; }
@media (max-width: 480px) {
  .gap { padding: 0 0 16px !important; }
  .head, .topic, .article, .more, .foot { padding-left: 20px !important; padding-right: 20px !important; }
  h1 { font-size: 23px !important; line-height: 29px !important; }
}
@media (prefers-color-scheme: dark) {
  body, .page { background-color: #12161a !important; }
  .card { background-color: #1c2126 !important; border-top-color: #79a7bf !important; }
  .topic { background-color: #232a31 !important; }
  .topic, .article, .more { border-top-color: #343d47 !important; }
  h1, h2 { color: #eceff2 !important; }
  .excerpt, .covers, .more { color: #cdd4db !important; }
  .small, .foot-line { color: #a5b0bb !important; }
  a, a.plain { color: #79a7bf !important; }
  a.ink { color: #eceff2 !important; }
  a.quiet { color: #a5b0bb !important; }
}
a.plain:hover { text-decoration: underline !important; }</style>
</head>
<body style="margin: 0;padding: 0;width: 100%;background-color: #eef1f4;">
<div lang="en" dir="ltr" role="article" aria-roledescription="email" aria-label="Customs news: Weekly no. 1">
<div class="preheader" style="display: none;max-height: 0;overflow: hidden;font-size: 1px;line-height: 1px;color: #eef1f4;mso-hide: all;">Waste · Numbers</div>
<table class="page" role="presentation" cellspacing="0" width="100%" border="0" cellpadding="0" style="border-collapse: collapse;border-spacing: 0;background-color: #eef1f4;">
<tbody><tr><td class="gap" align="center" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 24px 12px;">
<!--[if mso]><table role="presentation" width="600" align="center" border="0" cellpadding="0" cellspacing="0"><tr><td width="600"><![endif]-->
<table role="presentation" width="100%" border="0" cellpadding="0" cellspacing="0" align="center" style="border-collapse: collapse;border-spacing: 0;max-width: 600px">
<tbody><tr><td style="padding: 0;font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;">
<table class="card" role="presentation" cellspacing="0" width="100%" border="0" cellpadding="0" style="border-collapse: collapse;border-spacing: 0;background-color: #ffffff;border-top: 4px solid #0b5f8a;">
<tbody><tr><td class="head" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 24px 32px 20px;">
<p class="site" style="margin: 0;font-size: 15px;line-height: 22px;font-weight: bold;"><a class="plain" href="https://news.example/" style="color: #0b5f8a;text-decoration: none;">Customs news</a></p>
<p class="small" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;">Weekly no. 1, 2 March 2026</p>
<h1 style="margin: 0;padding: 14px 0 4px;font-size: 26px;line-height: 32px;font-weight: bold;color: #1c2630;">3 new articles on your topics</h1>
<p class="covers" style="margin: 0;font-size: 15px;line-height: 22px;color: #36424e;">Environment&nbsp;(2), Data&nbsp;(1)</p>
<p class="small ways" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 14px;"><a class="quiet" href="https://news.example/issues/weekly-1/" style="text-decoration: underline;color: #56616d;">Read on the web</a> &nbsp;·&nbsp; <a class="quiet" href="﷐unsubscribe﷑" style="text-decoration: underline;color: #56616d;">Unsubscribe</a></p>
</td></tr>
<tr><td class="topic" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 12px 32px 11px;border-top: 1px solid #dde3e8;background-color: #f6f8fa;"><h2 style="margin: 0;font-size: 16px;line-height: 22px;font-weight: bold;color: #1c2630;"><a class="plain ink" href="https://news.example/topics/environment/" style="color: #1c2630;text-decoration: none;">Environment</a></h2></td></tr>
<tr><td class="article" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 18px 32px 20px;border-top: 1px solid #dde3e8;">
<h3 style="margin: 0;font-size: 18px;line-height: 25px;font-weight: bold;"><a class="plain" href="https://news.example/articles/old/" style="color: #0b5f8a;text-decoration: none;">Old</a></h3>
<p class="excerpt" style="margin: 0;padding-top: 6px;font-size: 15px;line-height: 23px;color: #36424e;">News on environment, soon withdrawn.</p>
<p class="small facts" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 6px;">2 March 2026</p>
</td></tr>
<tr><td class="article" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 18px 32px 20px;border-top: 1px solid #dde3e8;">
<h3 style="margin: 0;font-size: 18px;line-height: 25px;font-weight: bold;"><a class="plain" href="https://news.example/articles/waste/" style="color: #0b5f8a;text-decoration: none;">Waste</a></h3>
<p class="excerpt" style="margin: 0;padding-top: 6px;font-size: 15px;line-height: 23px;color: #36424e;">News on environment.</p>
<p class="small facts" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 6px;">2 March 2026</p>
</td></tr>
<tr><td class="topic" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 12px 32px 11px;border-top: 1px solid #dde3e8;background-color: #f6f8fa;"><h2 style="margin: 0;font-size: 16px;line-height: 22px;font-weight: bold;color: #1c2630;"><a class="plain ink" href="https://news.example/topics/data/" style="color: #1c2630;text-decoration: none;">Data</a></h2></td></tr>
<tr><td class="article" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 18px 32px 20px;border-top: 1px solid #dde3e8;">
<h3 style="margin: 0;font-size: 18px;line-height: 25px;font-weight: bold;"><a class="plain" href="https://news.example/articles/numbers/" style="color: #0b5f8a;text-decoration: none;">Numbers</a></h3>
<p class="excerpt" style="margin: 0;padding-top: 6px;font-size: 15px;line-height: 23px;color: #36424e;">News on data.</p>
<p class="small facts" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 6px;">2 March 2026</p>
</td></tr>
</tbody></table>
<table role="presentation" width="100%" border="0" cellpadding="0" cellspacing="0" style="border-collapse: collapse;border-spacing: 0;">
<tbody><tr><td class="foot" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 20px 32px 8px;">
<p class="small" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;">You get this letter because you subscribed to the weekly digest of Customs news, for topics covered here: Environment; Data. It was sent to ﷐recipient﷑.</p>
<p class="foot-line" style="margin: 0;padding-top: 10px;font-size: 14px;line-height: 21px;color: #56616d;"><a class="quiet" href="﷐preferences﷑" style="text-decoration: underline;color: #56616d;">Change topics or frequency</a> &nbsp;·&nbsp; <a class="quiet" href="﷐unsubscribe﷑" style="text-decoration: underline;color: #56616d;">Unsubscribe</a> &nbsp;·&nbsp; <a class="quiet" href="https://news.example/issues/weekly-1/" style="text-decoration: underline;color: #56616d;">Weekly no. 1 on the web</a></p>
</td></tr>
</tbody></table>
</td></tr>
</tbody></table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr>
</tbody></table>
</div>

</body></html>');
INSERT INTO "editions" VALUES(3,2,'499fbe9b52b1c5b41f028e89b1bab084a7e4d27468819eb93e60024b6f8dfceb','en','Plastics, and 1 more · Weekly no. 2','Customs news
Weekly no. 2, 9 March 2026

2 new articles on topics you follow:
  Environment (2)

On the web:
https://news.example/issues/weekly-2/

Unsubscribe:
﷐unsubscribe﷑


Environment
-----------

* Plastics
  9 March 2026

  More news on environment.

  https://news.example/articles/plastics/

* Numbers
  2 March 2026
  Also in: Data

  News on data, and on environment too.

  https://news.example/articles/numbers/

------------------------------------------------------------------------

You get this letter because you subscribed to the weekly digest of
Customs news for topics covered here: Environment.
It was sent to:
﷐recipient﷑

Change topics or frequency:
﷐preferences﷑

Unsubscribe:
﷐unsubscribe﷑

Customs news: https://news.example/
','<!DOCTYPE html><html lang="en" dir="ltr" xmlns="http://www.w3.org/1999/xhtml" xmlns:o="urn:schemas-microsoft-com:office:office" style="color-scheme: light dark;supported-color-schemes: light dark;"><head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no">
<meta name="x-apple-disable-message-reformatting">
<title>Customs news: Weekly no. 2</title>
<!--[if mso]>
<xml><o:OfficeDocumentSettings><o:PixelsPerInch>96</o:PixelsPerInch></o:OfficeDocumentSettings></xml>
<style>td, p, h1, h2, h3, a { font-family: Arial, sans-serif !important; }</style>
<![endif]-->
<style>.more { padding: 18px 32px 22px; border-top: 1px solid #dde3e8; font-size: 16px; line-height: 24px; color: #36424e; }
@media (max-width: 480px) {
  .gap { padding: 0 0 16px !important; }
  .head, .topic, .article, .more, .foot { padding-left: 20px !important; padding-right: 20px !important; }
  h1 { font-size: 23px !important; line-height: 29px !important; }
}
@media (prefers-color-scheme: dark) {
  body, .page { background-color: #12161a !important; }
  .card { background-color: #1c2126 !important; border-top-color: #79a7bf !important; }
  .topic { background-color: #232a31 !important; }
  .topic, .article, .more { border-top-color: #343d47 !important; }
  h1, h2 { color: #eceff2 !important; }
  .excerpt, .covers, .more { color: #cdd4db !important; }
  .small, .foot-line { color: #a5b0bb !important; }
  a, a.plain { color: #79a7bf !important; }
  a.ink { color: #eceff2 !important; }
  a.quiet { color: #a5b0bb !important; }
}
a.plain:hover { text-decoration: underline !important; }</style>
</head>
<body style="margin: 0;padding: 0;width: 100%;background-color: #eef1f4;">
<div lang="en" dir="ltr" role="article" aria-roledescription="email" aria-label="Customs news: Weekly no. 2">
<div class="preheader" style="display: none;max-height: 0;overflow: hidden;font-size: 1px;line-height: 1px;color: #eef1f4;mso-hide: all;">Numbers</div>
<table class="page" role="presentation" cellspacing="0" width="100%" border="0" cellpadding="0" style="border-collapse: collapse;border-spacing: 0;background-color: #eef1f4;">
<tbody><tr><td class="gap" align="center" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 24px 12px;">
<!--[if mso]><table role="presentation" width="600" align="center" border="0" cellpadding="0" cellspacing="0"><tr><td width="600"><![endif]-->
<table role="presentation" width="100%" border="0" cellpadding="0" cellspacing="0" align="center" style="border-collapse: collapse;border-spacing: 0;max-width: 600px">
<tbody><tr><td style="padding: 0;font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;">
<table class="card" role="presentation" cellspacing="0" width="100%" border="0" cellpadding="0" style="border-collapse: collapse;border-spacing: 0;background-color: #ffffff;border-top: 4px solid #0b5f8a;">
<tbody><tr><td class="head" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 24px 32px 20px;">
<p class="site" style="margin: 0;font-size: 15px;line-height: 22px;font-weight: bold;"><a class="plain" href="https://news.example/" style="color: #0b5f8a;text-decoration: none;">Customs news</a></p>
<p class="small" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;">Weekly no. 2, 9 March 2026</p>
<h1 style="margin: 0;padding: 14px 0 4px;font-size: 26px;line-height: 32px;font-weight: bold;color: #1c2630;">2 new articles on your topics</h1>
<p class="covers" style="margin: 0;font-size: 15px;line-height: 22px;color: #36424e;">Environment&nbsp;(2)</p>
<p class="small ways" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 14px;"><a class="quiet" href="https://news.example/issues/weekly-2/" style="text-decoration: underline;color: #56616d;">Read on the web</a> &nbsp;·&nbsp; <a class="quiet" href="﷐unsubscribe﷑" style="text-decoration: underline;color: #56616d;">Unsubscribe</a></p>
</td></tr>
<tr><td class="topic" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 12px 32px 11px;border-top: 1px solid #dde3e8;background-color: #f6f8fa;"><h2 style="margin: 0;font-size: 16px;line-height: 22px;font-weight: bold;color: #1c2630;"><a class="plain ink" href="https://news.example/topics/environment/" style="color: #1c2630;text-decoration: none;">Environment</a></h2></td></tr>
<tr><td class="article" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 18px 32px 20px;border-top: 1px solid #dde3e8;">
<h3 style="margin: 0;font-size: 18px;line-height: 25px;font-weight: bold;"><a class="plain" href="https://news.example/articles/plastics/" style="color: #0b5f8a;text-decoration: none;">Plastics</a></h3>
<p class="excerpt" style="margin: 0;padding-top: 6px;font-size: 15px;line-height: 23px;color: #36424e;">More news on environment.</p>
<p class="small facts" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 6px;">9 March 2026</p>
</td></tr>
<tr><td class="article" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 18px 32px 20px;border-top: 1px solid #dde3e8;">
<h3 style="margin: 0;font-size: 18px;line-height: 25px;font-weight: bold;"><a class="plain" href="https://news.example/articles/numbers/" style="color: #0b5f8a;text-decoration: none;">Numbers</a></h3>
<p class="excerpt" style="margin: 0;padding-top: 6px;font-size: 15px;line-height: 23px;color: #36424e;">News on data, and on environment too.</p>
<p class="small facts" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 6px;">2 March 2026 &nbsp;·&nbsp; Also in Data</p>
</td></tr>
</tbody></table>
<table role="presentation" width="100%" border="0" cellpadding="0" cellspacing="0" style="border-collapse: collapse;border-spacing: 0;">
<tbody><tr><td class="foot" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 20px 32px 8px;">
<p class="small" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;">You get this letter because you subscribed to the weekly digest of Customs news, for topics covered here: Environment. It was sent to ﷐recipient﷑.</p>
<p class="foot-line" style="margin: 0;padding-top: 10px;font-size: 14px;line-height: 21px;color: #56616d;"><a class="quiet" href="﷐preferences﷑" style="text-decoration: underline;color: #56616d;">Change topics or frequency</a> &nbsp;·&nbsp; <a class="quiet" href="﷐unsubscribe﷑" style="text-decoration: underline;color: #56616d;">Unsubscribe</a> &nbsp;·&nbsp; <a class="quiet" href="https://news.example/issues/weekly-2/" style="text-decoration: underline;color: #56616d;">Weekly no. 2 on the web</a></p>
</td></tr>
</tbody></table>
</td></tr>
</tbody></table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr>
</tbody></table>
</div>

</body></html>');
INSERT INTO "editions" VALUES(4,2,'d9acaea47f46bfb495320f11b4519daa0ffa3c1293b03a3ae43eebda42e3326f','en','Plastics, and 1 more · Weekly no. 2','Customs news
Weekly no. 2, 9 March 2026

2 new articles on topics you follow:
  Environment (1)
  Data (1)

On the web:
https://news.example/issues/weekly-2/

Unsubscribe:
﷐unsubscribe﷑


Environment
-----------

* Plastics
  9 March 2026

  More news on environment.

  https://news.example/articles/plastics/


Data
----

* Lists
  9 March 2026

  More news on data.

  https://news.example/articles/lists/

------------------------------------------------------------------------

You get this letter because you subscribed to the weekly digest of
Customs news for topics covered here: Environment; Data.
It was sent to:
﷐recipient﷑

Change topics or frequency:
﷐preferences﷑

Unsubscribe:
﷐unsubscribe﷑

Customs news: https://news.example/
','<!DOCTYPE html><html lang="en" dir="ltr" xmlns="http://www.w3.org/1999/xhtml" xmlns:o="urn:schemas-microsoft-com:office:office" style="color-scheme: light dark;supported-color-schemes: light dark;"><head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<meta name="format-detection" content="telephone=no, date=no, address=no, email=no">
<meta name="x-apple-disable-message-reformatting">
<title>Customs news: Weekly no. 2</title>
<!--[if mso]>
<xml><o:OfficeDocumentSettings><o:PixelsPerInch>96</o:PixelsPerInch></o:OfficeDocumentSettings></xml>
<style>td, p, h1, h2, h3, a { font-family: Arial, sans-serif !important; }</style>
<![endif]-->
<style>.more { padding: 18px 32px 22px; border-top: 1px solid #dde3e8; font-size: 16px; line-height: 24px; color: #36424e; }
@media (max-width: 480px) {
  .gap { padding: 0 0 16px !important; }
  .head, .topic, .article, .more, .foot { padding-left: 20px !important; padding-right: 20px !important; }
  h1 { font-size: 23px !important; line-height: 29px !important; }
}
@media (prefers-color-scheme: dark) {
  body, .page { background-color: #12161a !important; }
  .card { background-color: #1c2126 !important; border-top-color: #79a7bf !important; }
  .topic { background-color: #232a31 !important; }
  .topic, .article, .more { border-top-color: #343d47 !important; }
  h1, h2 { color: #eceff2 !important; }
  .excerpt, .covers, .more { color: #cdd4db !important; }
  .small, .foot-line { color: #a5b0bb !important; }
  a, a.plain { color: #79a7bf !important; }
  a.ink { color: #eceff2 !important; }
  a.quiet { color: #a5b0bb !important; }
}
a.plain:hover { text-decoration: underline !important; }</style>
</head>
<body style="margin: 0;padding: 0;width: 100%;background-color: #eef1f4;">
<div lang="en" dir="ltr" role="article" aria-roledescription="email" aria-label="Customs news: Weekly no. 2">
<div class="preheader" style="display: none;max-height: 0;overflow: hidden;font-size: 1px;line-height: 1px;color: #eef1f4;mso-hide: all;">Lists</div>
<table class="page" role="presentation" cellspacing="0" width="100%" border="0" cellpadding="0" style="border-collapse: collapse;border-spacing: 0;background-color: #eef1f4;">
<tbody><tr><td class="gap" align="center" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 24px 12px;">
<!--[if mso]><table role="presentation" width="600" align="center" border="0" cellpadding="0" cellspacing="0"><tr><td width="600"><![endif]-->
<table role="presentation" width="100%" border="0" cellpadding="0" cellspacing="0" align="center" style="border-collapse: collapse;border-spacing: 0;max-width: 600px">
<tbody><tr><td style="padding: 0;font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;">
<table class="card" role="presentation" cellspacing="0" width="100%" border="0" cellpadding="0" style="border-collapse: collapse;border-spacing: 0;background-color: #ffffff;border-top: 4px solid #0b5f8a;">
<tbody><tr><td class="head" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 24px 32px 20px;">
<p class="site" style="margin: 0;font-size: 15px;line-height: 22px;font-weight: bold;"><a class="plain" href="https://news.example/" style="color: #0b5f8a;text-decoration: none;">Customs news</a></p>
<p class="small" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;">Weekly no. 2, 9 March 2026</p>
<h1 style="margin: 0;padding: 14px 0 4px;font-size: 26px;line-height: 32px;font-weight: bold;color: #1c2630;">2 new articles on your topics</h1>
<p class="covers" style="margin: 0;font-size: 15px;line-height: 22px;color: #36424e;">Environment&nbsp;(1), Data&nbsp;(1)</p>
<p class="small ways" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 14px;"><a class="quiet" href="https://news.example/issues/weekly-2/" style="text-decoration: underline;color: #56616d;">Read on the web</a> &nbsp;·&nbsp; <a class="quiet" href="﷐unsubscribe﷑" style="text-decoration: underline;color: #56616d;">Unsubscribe</a></p>
</td></tr>
<tr><td class="topic" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 12px 32px 11px;border-top: 1px solid #dde3e8;background-color: #f6f8fa;"><h2 style="margin: 0;font-size: 16px;line-height: 22px;font-weight: bold;color: #1c2630;"><a class="plain ink" href="https://news.example/topics/environment/" style="color: #1c2630;text-decoration: none;">Environment</a></h2></td></tr>
<tr><td class="article" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 18px 32px 20px;border-top: 1px solid #dde3e8;">
<h3 style="margin: 0;font-size: 18px;line-height: 25px;font-weight: bold;"><a class="plain" href="https://news.example/articles/plastics/" style="color: #0b5f8a;text-decoration: none;">Plastics</a></h3>
<p class="excerpt" style="margin: 0;padding-top: 6px;font-size: 15px;line-height: 23px;color: #36424e;">More news on environment.</p>
<p class="small facts" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 6px;">9 March 2026</p>
</td></tr>
<tr><td class="topic" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 12px 32px 11px;border-top: 1px solid #dde3e8;background-color: #f6f8fa;"><h2 style="margin: 0;font-size: 16px;line-height: 22px;font-weight: bold;color: #1c2630;"><a class="plain ink" href="https://news.example/topics/data/" style="color: #1c2630;text-decoration: none;">Data</a></h2></td></tr>
<tr><td class="article" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 18px 32px 20px;border-top: 1px solid #dde3e8;">
<h3 style="margin: 0;font-size: 18px;line-height: 25px;font-weight: bold;"><a class="plain" href="https://news.example/articles/lists/" style="color: #0b5f8a;text-decoration: none;">Lists</a></h3>
<p class="excerpt" style="margin: 0;padding-top: 6px;font-size: 15px;line-height: 23px;color: #36424e;">More news on data.</p>
<p class="small facts" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;padding-top: 6px;">9 March 2026</p>
</td></tr>
</tbody></table>
<table role="presentation" width="100%" border="0" cellpadding="0" cellspacing="0" style="border-collapse: collapse;border-spacing: 0;">
<tbody><tr><td class="foot" style="font-family: -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif;word-break: break-word;overflow-wrap: anywhere;padding: 20px 32px 8px;">
<p class="small" style="margin: 0;font-size: 14px;line-height: 21px;color: #56616d;">You get this letter because you subscribed to the weekly digest of Customs news, for topics covered here: Environment; Data. It was sent to ﷐recipient﷑.</p>
<p class="foot-line" style="margin: 0;padding-top: 10px;font-size: 14px;line-height: 21px;color: #56616d;"><a class="quiet" href="﷐preferences﷑" style="text-decoration: underline;color: #56616d;">Change topics or frequency</a> &nbsp;·&nbsp; <a class="quiet" href="﷐unsubscribe﷑" style="text-decoration: underline;color: #56616d;">Unsubscribe</a> &nbsp;·&nbsp; <a class="quiet" href="https://news.example/issues/weekly-2/" style="text-decoration: underline;color: #56616d;">Weekly no. 2 on the web</a></p>
</td></tr>
</tbody></table>
</td></tr>
</tbody></table>
<!--[if mso]></td></tr></table><![endif]-->
</td></tr>
</tbody></table>
</div>

</body></html>');
CREATE TABLE feeds (
	topic TEXT NOT NULL, 
	articles INTEGER NOT NULL, 
	touched INTEGER NOT NULL, 
	archives INTEGER NOT NULL, 
	archived_upto INTEGER NOT NULL, 
	CONSTRAINT pk_feeds PRIMARY KEY (topic)
);
INSERT INTO "feeds" VALUES('all',4,6,0,0);
INSERT INTO "feeds" VALUES('data',2,6,0,0);
INSERT INTO "feeds" VALUES('environment',3,6,0,0);
CREATE TABLE filings (
	seq INTEGER NOT NULL, 
	article_key TEXT NOT NULL, 
	topic TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	filed_at DATETIME NOT NULL, 
	stamp INTEGER NOT NULL, 
	published DATETIME NOT NULL, 
	CONSTRAINT pk_filings PRIMARY KEY (seq), 
	CONSTRAINT fk_filings_article_key FOREIGN KEY(article_key) REFERENCES articles ("key"), 
	CONSTRAINT uq_filings_article_key_topic UNIQUE (article_key, topic)
);
INSERT INTO "filings" VALUES(1,'key0000000000001','environment','word "environment" in the text','2026-03-02 09:00:00',4,'2026-03-02 08:59:58');
INSERT INTO "filings" VALUES(2,'key0000000000001','all','every article','2026-03-02 09:00:00',5,'2026-03-02 08:59:58');
INSERT INTO "filings" VALUES(5,'key0000000000003','data','word "data" in the text','2026-03-02 09:00:00',13,'2026-03-02 09:00:00');
INSERT INTO "filings" VALUES(6,'key0000000000003','all','every article','2026-03-02 09:00:00',13,'2026-03-02 09:00:00');
INSERT INTO "filings" VALUES(7,'key0000000000004','environment','word "environment" in the text','2026-03-09 09:00:00',14,'2026-03-09 08:59:58');
INSERT INTO "filings" VALUES(8,'key0000000000004','all','every article','2026-03-09 09:00:00',15,'2026-03-09 08:59:58');
INSERT INTO "filings" VALUES(9,'key0000000000005','data','word "data" in the text','2026-03-09 09:00:00',16,'2026-03-09 08:59:59');
INSERT INTO "filings" VALUES(10,'key0000000000005','all','every article','2026-03-09 09:00:00',17,'2026-03-09 08:59:59');
INSERT INTO "filings" VALUES(11,'key0000000000003','environment','word "environment" in the text','2026-03-09 09:00:00',18,'2026-03-02 09:00:00');
CREATE TABLE hub_deliveries (
	subscription_id INTEGER NOT NULL, 
	sha256 TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	due DATETIME NOT NULL, 
	CONSTRAINT pk_hub_deliveries PRIMARY KEY (subscription_id), 
	CONSTRAINT fk_hub_deliveries_subscription_id FOREIGN KEY(subscription_id) REFERENCES hub_subscriptions (id) ON DELETE CASCADE
);
CREATE TABLE hub_pings (
	hub TEXT NOT NULL, 
	topic TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	since DATETIME NOT NULL, 
	due DATETIME, 
	CONSTRAINT pk_hub_pings PRIMARY KEY (hub, topic)
);
CREATE TABLE hub_requests (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	mode TEXT NOT NULL, 
	callback TEXT NOT NULL, 
	host TEXT NOT NULL, 
	topic TEXT NOT NULL, 
	lease_s INTEGER NOT NULL, 
	secret TEXT, 
	sha256 TEXT NOT NULL, 
	asked DATETIME NOT NULL, 
	due DATETIME NOT NULL, 
	CONSTRAINT uq_hub_requests_callback_topic UNIQUE (callback, topic)
);
CREATE TABLE hub_subscriptions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	callback TEXT NOT NULL, 
	host TEXT NOT NULL, 
	topic TEXT NOT NULL, 
	secret TEXT, 
	expires DATETIME NOT NULL, 
	sha256 TEXT NOT NULL, 
	CONSTRAINT uq_hub_subscriptions_callback_topic UNIQUE (callback, topic)
);
CREATE TABLE issues (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	frequency TEXT NOT NULL, 
	number INTEGER, 
	slot DATETIME, 
	state TEXT NOT NULL, 
	composed DATETIME NOT NULL, 
	upto_seq INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	selected INTEGER NOT NULL, 
	report TEXT, 
	finished DATETIME, 
	CONSTRAINT uq_issues_frequency_number UNIQUE (frequency, number), 
	CONSTRAINT uq_issues_frequency_slot UNIQUE (frequency, slot)
);
INSERT INTO "issues" VALUES(1,'weekly',1,NULL,'finished','2026-03-02 09:00:00',6,'',9,NULL,'2026-03-02 09:00:00');
INSERT INTO "issues" VALUES(2,'weekly',2,NULL,'sending','2026-03-09 09:00:00',11,'',8,NULL,NULL);
CREATE TABLE meta (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY (name)
);
INSERT INTO "meta" VALUES('installed_at','2026-03-02T09:00:00+00:00');
INSERT INTO "meta" VALUES('topics.fingerprint','71729248dcad896f');
INSERT INTO "meta" VALUES('site.published','{"touched": 6, "issue_id": 2, "fingerprint": "84b0d9dfb0d65ed86b5fbbf55efd7445e0120a72031c5b36ec8a2e775d88afaf", "whole": true}');
CREATE TABLE runs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	"trigger" TEXT NOT NULL, 
	state TEXT NOT NULL, 
	started DATETIME NOT NULL, 
	finished DATETIME, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	report TEXT NOT NULL
);
INSERT INTO "runs" VALUES(1,'command','done','2026-03-02 09:00:00','2026-03-02 09:00:00','news.example',3646,'2026-03-02 09:00:00','{"ingest": {"new": 3, "changed": 0, "unchanged": 0, "refused": [], "refused_count": 0, "skipped_files": 0, "filed": {"all": 3, "data": 1, "environment": 2}, "leaving": []}, "site": {"written": ["assets/style.css", "assets/icon.svg", "404.html", "articles/waste/index.html", "articles/old/index.html", "articles/numbers/index.html", "topics/environment/index.html", "topics/drugs/index.html", "topics/data/index.html", "index.html", "feeds/all.atom", "feeds/all.rss", "feeds/all.json", "feeds.opml", "feeds/environment.atom", "feeds/environment.rss", "feeds/environment.json", "feeds/drugs.atom", "feeds/drugs.rss", "feeds/drugs.json", "feeds/data.atom", "feeds/data.rss", "feeds/data.json", "issues/weekly-1/index.html"], "written_count": 24, "unchanged": 0, "removed": [], "problems": []}, "pings": {"accepted": 0, "waiting": 0, "problems": []}, "issues": [{"frequency": "weekly", "name": "weekly-1", "reason": "", "readers": 9, "letters": 8, "editions": 2, "articles": 3, "held_back": 0, "letter_bytes": [10165, 11528]}], "delivery": {"states": {"accepted": 8}, "problem": "", "outbox": "", "waiting": 0}}');
INSERT INTO "runs" VALUES(2,'command','done','2026-03-09 09:00:00','2026-03-09 09:00:00','news.example',3646,'2026-03-09 09:00:00','{"ingest": {"new": 2, "changed": 1, "unchanged": 0, "refused": [], "refused_count": 0, "skipped_files": 2, "filed": {"all": 2, "data": 1, "environment": 2}, "leaving": []}, "site": {"written": ["articles/old/index.html", "articles/numbers/index.html", "articles/plastics/index.html", "articles/lists/index.html", "topics/environment/index.html", "topics/data/index.html", "index.html", "feeds/all.atom", "feeds/all.rss", "feeds/all.json", "feeds.opml", "feeds/environment.atom", "feeds/environment.rss", "feeds/environment.json", "feeds/data.atom", "feeds/data.rss", "feeds/data.json", "issues/weekly-2/index.html"], "written_count": 18, "unchanged": 0, "removed": [], "problems": []}, "pings": {"accepted": 0, "waiting": 0, "problems": []}, "issues": [{"frequency": "weekly", "name": "weekly-2", "reason": "", "readers": 8, "letters": 8, "editions": 2, "articles": 3, "held_back": 0, "letter_bytes": [10264, 10708]}], "delivery": {"states": {"accepted": 1, "deferred": 1, "rejected": 1, "uncertain": 1}, "problem": "", "outbox": "", "waiting": 5}}');
INSERT INTO "runs" VALUES(3,'command','running','2026-03-09 09:00:00',NULL,'news.example',4711,'2026-03-09 09:00:00','{}');
CREATE TABLE source_files (
	place TEXT NOT NULL, 
	mark TEXT NOT NULL, 
	CONSTRAINT pk_source_files PRIMARY KEY (place)
);
INSERT INTO "source_files" VALUES('/srv/news/articles/Numbers.md','88:1795417550895215154:1795417550895215154:auto:7368dacdc8780879');
INSERT INTO "source_files" VALUES('/srv/news/articles/Old.md','56:1795417550548499811:1795417550548499811:auto:7368dacdc8780879');
INSERT INTO "source_files" VALUES('/srv/news/articles/Waste.md','42:1795417550547565641:1795417550547565641:auto:7368dacdc8780879');
INSERT INTO "source_files" VALUES('/srv/news/articles/Lists.md','40:1795417550896160941:1795417550896160941:auto:7368dacdc8780879');
INSERT INTO "source_files" VALUES('/srv/news/articles/Plastics.md','50:1795417550895953145:1795417550895953145:auto:7368dacdc8780879');
CREATE TABLE subscriber_events (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	subscriber_id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	event TEXT NOT NULL, 
	detail TEXT NOT NULL
);
INSERT INTO "subscriber_events" VALUES(1,1,'2026-03-02 09:00:00','added','active, weekly: environment');
INSERT INTO "subscriber_events" VALUES(2,2,'2026-03-02 09:00:00','added','active, weekly: environment, data');
INSERT INTO "subscriber_events" VALUES(3,3,'2026-03-02 09:00:00','added','active, weekly: environment');
INSERT INTO "subscriber_events" VALUES(4,4,'2026-03-02 09:00:00','added','active, weekly: environment, data');
INSERT INTO "subscriber_events" VALUES(5,5,'2026-03-02 09:00:00','added','active, weekly: environment');
INSERT INTO "subscriber_events" VALUES(6,6,'2026-03-02 09:00:00','added','active, weekly: environment, data');
INSERT INTO "subscriber_events" VALUES(7,7,'2026-03-02 09:00:00','added','active, weekly: environment');
INSERT INTO "subscriber_events" VALUES(8,8,'2026-03-02 09:00:00','added','active, weekly: environment, data');
INSERT INTO "subscriber_events" VALUES(9,9,'2026-03-02 09:00:00','added','active, weekly: drugs');
INSERT INTO "subscriber_events" VALUES(10,10,'2026-03-02 09:00:00','added','active, daily: environment');
INSERT INTO "subscriber_events" VALUES(11,9,'2026-03-02 09:00:00','state','active -> unsubscribed: left');
CREATE TABLE subscribers (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	email TEXT NOT NULL, 
	email_key TEXT NOT NULL, 
	state TEXT NOT NULL, 
	frequency TEXT NOT NULL, 
	language TEXT NOT NULL, 
	watermark INTEGER NOT NULL, 
	feed_renewals INTEGER NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT uq_subscribers_email_key UNIQUE (email_key)
);
INSERT INTO "subscribers" VALUES(1,'alice@readers.example','alice@readers.example','active','weekly','en',11,0,'2026-03-02 09:00:00');
INSERT INTO "subscribers" VALUES(2,'bob@readers.example','bob@readers.example','active','weekly','en',6,0,'2026-03-02 09:00:00');
INSERT INTO "subscribers" VALUES(3,'charlie@readers.example','charlie@readers.example','active','weekly','en',6,0,'2026-03-02 09:00:00');
INSERT INTO "subscribers" VALUES(4,'dora@readers.example','dora@readers.example','active','weekly','en',6,0,'2026-03-02 09:00:00');
INSERT INTO "subscribers" VALUES(5,'erin@readers.example','erin@readers.example','active','weekly','en',6,0,'2026-03-02 09:00:00');
INSERT INTO "subscribers" VALUES(6,'frank@readers.example','frank@readers.example','active','weekly','en',6,0,'2026-03-02 09:00:00');
INSERT INTO "subscribers" VALUES(7,'grace@readers.example','grace@readers.example','active','weekly','en',6,0,'2026-03-02 09:00:00');
INSERT INTO "subscribers" VALUES(8,'heidi@readers.example','heidi@readers.example','active','weekly','en',6,0,'2026-03-02 09:00:00');
INSERT INTO "subscribers" VALUES(9,'ivan@readers.example','ivan@readers.example','unsubscribed','weekly','en',6,0,'2026-03-02 09:00:00');
INSERT INTO "subscribers" VALUES(10,'judy@readers.example','judy@readers.example','active','daily','en',0,0,'2026-03-02 09:00:00');
CREATE TABLE subscriptions (
	subscriber_id INTEGER NOT NULL, 
	topic TEXT NOT NULL, 
	CONSTRAINT pk_subscriptions PRIMARY KEY (subscriber_id, topic), 
	CONSTRAINT fk_subscriptions_subscriber_id FOREIGN KEY(subscriber_id) REFERENCES subscribers (id) ON DELETE CASCADE
);
INSERT INTO "subscriptions" VALUES(1,'environment');
INSERT INTO "subscriptions" VALUES(2,'environment');
INSERT INTO "subscriptions" VALUES(2,'data');
INSERT INTO "subscriptions" VALUES(3,'environment');
INSERT INTO "subscriptions" VALUES(4,'environment');
INSERT INTO "subscriptions" VALUES(4,'data');
INSERT INTO "subscriptions" VALUES(5,'environment');
INSERT INTO "subscriptions" VALUES(6,'environment');
INSERT INTO "subscriptions" VALUES(6,'data');
INSERT INTO "subscriptions" VALUES(7,'environment');
INSERT INTO "subscriptions" VALUES(8,'environment');
INSERT INTO "subscriptions" VALUES(8,'data');
INSERT INTO "subscriptions" VALUES(9,'drugs');
INSERT INTO "subscriptions" VALUES(10,'environment');
CREATE INDEX ix_articles_published ON articles (published, "key");
CREATE INDEX ix_articles_withdrawn ON articles (withdrawn) WHERE withdrawn IS NOT NULL;
CREATE INDEX ix_articles_slug_base ON articles (slug_base);
CREATE INDEX ix_articles_updated ON articles (updated);
CREATE INDEX ix_articles_touched ON articles (touched);
CREATE INDEX ix_article_identities_article_key ON article_identities (article_key);
CREATE INDEX ix_filings_topic_published ON filings (topic, published);
CREATE INDEX ix_filings_topic_stamp ON filings (topic, stamp);
CREATE INDEX ix_departures_topic_stamp ON departures (topic, stamp);
CREATE INDEX ix_departures_state ON departures (state, "left");
CREATE INDEX ix_archives_unwritten ON archives (topic, number) WHERE written = 0;
CREATE INDEX ix_subscribers_audience ON subscribers (frequency, state, id);
CREATE INDEX ix_subscriptions_topic ON subscriptions (topic, subscriber_id);
CREATE INDEX ix_subscriber_events_subscriber_id ON subscriber_events (subscriber_id);
CREATE INDEX ix_edition_articles_article_key ON edition_articles (article_key);
CREATE INDEX ix_deliveries_due ON deliveries (state, next_attempt) WHERE next_attempt IS NOT NULL;
CREATE INDEX ix_deliveries_state ON deliveries (state, issue_id, subscriber_id);
CREATE INDEX ix_deliveries_subscriber ON deliveries (subscriber_id, edition_id);
CREATE UNIQUE INDEX ux_runs_running ON runs (state) WHERE state = 'running';
CREATE INDEX ix_hub_subscriptions_host ON hub_subscriptions (host);
CREATE INDEX ix_hub_subscriptions_topic ON hub_subscriptions (topic);
CREATE INDEX ix_hub_subscriptions_expires ON hub_subscriptions (expires);
CREATE INDEX ix_hub_deliveries_due ON hub_deliveries (due);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('subscribers',10);
INSERT INTO "sqlite_sequence" VALUES('subscriber_events',11);
INSERT INTO "sqlite_sequence" VALUES('runs',3);
INSERT INTO "sqlite_sequence" VALUES('issues',2);
INSERT INTO "sqlite_sequence" VALUES('editions',4);
COMMIT;
