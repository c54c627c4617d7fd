"""The site's settings, read from environment variables; docs/settings.md lists them."""

import zoneinfo
from pathlib import Path

import django
from csp.constants import NONE, SELF

from aggregates.domain.hosts import THIS_MACHINE
from usagesite import embedded, env, identity_providers, memory

# Days are cut by the pinned tzdata package on every machine, and not by what its system happens to have.
zoneinfo.reset_tzpath(to=())

BASE_DIR = Path(__file__).resolve().parent.parent

# Folder of the embedded database, the secret key and the collected static files.
DATA_DIR = env.folder("USAGESITE_DATA", BASE_DIR / "var")

SECRET_KEY = env.secret("SECRET_KEY", kept_in=DATA_DIR / "secret-key")
DEBUG = env.boolean("DEBUG", default=False)
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", default=sorted(THIS_MACHINE))
BIND = env.ip_address("BIND", default="127.0.0.1")  # where the web server and gRPC listen
PORT = env.port("PORT", default=8000)
OTLP_GRPC_PORT = env.port_or_off("OTLP_GRPC_PORT", default=4317)  # 0: off
WEB_CONCURRENCY = env.number("WEB_CONCURRENCY", default=2, least=1, most=64)  # web processes
# Seconds after which a web process that hangs is replaced; longer than a body may take, which gunicorn ends then, too.
WEB_TIMEOUT = env.number("WEB_TIMEOUT", default=60, least=40, most=3600)
# Seconds that requests and tasks get to end when their process is told to; honcho kills after 5.
STOP_SECONDS = env.number("STOP_SECONDS", default=3, least=1, most=3600)
HTTPS = env.boolean("HTTPS", default=False)  # a proxy in front of the site terminates TLS

INSTALLED_APPS = [
    "allauth.account",  # these before ours, whose admin leaves their tables out
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "usagesite.apps.UserSessions",
    "aggregates",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "usagesite.apps.StaticFiles",
    "csp",
    "django_htmx",
    "django_q",
]

MIDDLEWARE = [
    "aggregates.web.views.requests.Requests",
    "aggregates.web.views.probes.Probes",
    "django.middleware.security.SecurityMiddleware",
    "aggregates.web.views.permissions_policy.PermissionsPolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "aggregates.web.views.time_limits.TimeLimits",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "aggregates.web.views.acting.Acting",
    "aggregates.web.views.provider_only.ProviderOnly",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "aggregates.web.views.admin_inputs.AdminInputs",
]

ROOT_URLCONF = "usagesite.urls"
CSRF_FAILURE_VIEW = "aggregates.web.views.errors.wrong_token"
FORCE_SCRIPT_NAME = ""  # whatever a client sends as SCRIPT_NAME

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Without DATABASE_URL the site starts a PostgreSQL of its own, with its data under DATA_DIR.
DATABASES = {"default": env.database("DATABASE_URL") or embedded.database(DATA_DIR)}
# A hot standby of it, which pages, files and the API read where it is as new.
if standby := env.standby("READ_DATABASE_URL"):
    DATABASES["standby"] = standby
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "aggregates.User"
AUTH_PASSWORD_VALIDATORS = [
    *(
        {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
        for name, options in (
            ("UserAttributeSimilarityValidator", {}),
            ("MinimumLengthValidator", {"min_length": 12}),
            ("CommonPasswordValidator", {}),
            ("NumericPasswordValidator", {}),
        )
    ),
    {"NAME": "aggregates.accounts.new_passwords.EndsOtherWaysIn"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "account_login"

# Pages for logging in are allauth's. Its limits count in the memory of each process; ours count in the database.
ACCOUNT_ADAPTER = "aggregates.web.views.log_in.Adapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = False
ACCOUNT_CHANGE_EMAIL = True  # an account has one address
ACCOUNT_EMAIL_CONFIRMATION_EXPIRE_DAYS = 1
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_METHODS = {"password", "mfa"}  # and no code by mail
# A link goes to the address that the account has, and no longer to one that it had.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105
PASSWORD_RESET_TIMEOUT = 86_400  # seconds

MFA_ADAPTER = "aggregates.accounts.second_factors.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True  # with a passkey that was made for it (aggregates.accounts.passkeys)
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_TOLERANCE = 1  # codes of 30 seconds before and after, as clocks differ
MFA_RATE_LIMITS = False  # as above
MFA_ALLOW_UNVERIFIED_EMAIL = True  # accounts are made by those who run an organization, and signing up is nowhere

# Sign-in with an identity provider: whom it speaks for, and what its groups may do here. What was called OIDC_ before
# there was SAML has that name, too.
SSO_NAME = env.text(env.either("SSO_NAME", "OIDC_NAME"), "your organization’s account")
SSO_DOMAINS = [
    (domain.lower(), *place) for domain, *place in env.places(env.either("SSO_DOMAINS", "OIDC_DOMAINS"), alone=True)
]
SSO_GROUPS = env.places(env.either("SSO_GROUPS", "OIDC_GROUPS"))
SSO_ONLY = env.names(env.either("SSO_ONLY", "OIDC_ONLY"))  # slugs of organizations whose members have no other way in
# As some providers do not say it.
SSO_EMAILS_CONFIRMED = env.boolean(env.either("SSO_EMAILS_CONFIRMED", "OIDC_EMAILS_CONFIRMED"), default=False)

OIDC_ISSUER = env.issuer("OIDC_ISSUER")
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID", "", needed_by=OIDC_ISSUER and "OIDC_ISSUER")
OIDC_CLIENT_SECRET = env.text("OIDC_CLIENT_SECRET", "", needed_by=OIDC_ISSUER and "OIDC_ISSUER")
OIDC_SCOPES = env.text("OIDC_SCOPES", "openid profile email").split()
OIDC_GROUPS_CLAIM = env.text("OIDC_GROUPS_CLAIM", "groups")

SAML_METADATA = env.metadata("SAML_METADATA")
SAML_SSO_URL = env.address("SAML_SSO_URL", "where a SAML provider is asked, such as https://id.example.com/sso")
SAML_ENTITY_ID = env.text("SAML_ENTITY_ID", "", needed_by=SAML_SSO_URL and "SAML_SSO_URL")
SAML_CERTIFICATE = env.certificate("SAML_CERTIFICATE", needed_by=SAML_SSO_URL and "SAML_SSO_URL")
SAML_EMAIL_ATTRIBUTE = env.text("SAML_EMAIL_ATTRIBUTE", "")
SAML_GROUPS_ATTRIBUTE = env.text("SAML_GROUPS_ATTRIBUTE", "groups")

SSO_PROVIDER = "oidc" if OIDC_ISSUER else "saml" if SAML_METADATA or SAML_SSO_URL else ""
if len([each for each in (OIDC_ISSUER, SAML_METADATA, SAML_SSO_URL) if each]) > 1:
    env.stop(
        "SAML_METADATA" if SAML_METADATA else "SAML_SSO_URL",
        "nothing, as there is another provider, and people sign in with one",
    )
if SSO_PROVIDER and not SSO_DOMAINS:
    env.stop("SSO_DOMAINS", "domains whose addresses the provider speaks for, as there is one")
if SSO_ONLY and not SSO_PROVIDER:
    env.stop(env.either("SSO_ONLY", "OIDC_ONLY"), "nothing, as there is no provider, and members had no way in")
SOCIALACCOUNT_ADAPTER = "aggregates.web.views.sign_in.Adapter"
SOCIALACCOUNT_LOGIN_ON_GET = True  # a form could not lead there: form-action of the policy below
SOCIALACCOUNT_PROVIDERS = {}
if SSO_PROVIDER == "oidc":
    SOCIALACCOUNT_PROVIDERS = identity_providers.openid_connect(
        OIDC_ISSUER, SSO_NAME, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET
    )
elif SSO_PROVIDER == "saml":
    SOCIALACCOUNT_PROVIDERS = identity_providers.saml(
        SSO_NAME,
        {
            "metadata_url": SAML_METADATA,
            "entity_id": SAML_ENTITY_ID,
            "sso_url": SAML_SSO_URL,
            "x509cert": SAML_CERTIFICATE,
        },
        SAML_EMAIL_ATTRIBUTE,
    )

# How many proxies stand in front of the site, each of which adds to X-Forwarded-For whom it was asked by.
TRUSTED_PROXIES = env.number("TRUSTED_PROXIES", default=0, least=0, most=10)

# A session ends this long after it was used last, and this long after the log-in, in seconds.
SESSION_ENGINE = "aggregates.accounts.sessions"
SESSION_COOKIE_AGE = 3600 * env.number("SESSION_IDLE_HOURS", default=72, least=1, most=8760)
SESSION_LONGEST = 86_400 * env.number("SESSION_DAYS", default=14, least=1, most=365)

# Without a mail server nobody is sent a link to set a new password.
MAIL_SERVER = env.mail_server("EMAIL_URL")
SENDS_MAIL = MAIL_SERVER is not None
DEFAULT_FROM_EMAIL = env.mail_address("EMAIL_FROM", needed=SENDS_MAIL)
if MAIL_SERVER and django.VERSION >= (6, 1):
    MAILERS = {"default": {"OPTIONS": MAIL_SERVER}}
elif MAIL_SERVER:
    EMAIL_HOST, EMAIL_PORT, EMAIL_TIMEOUT = MAIL_SERVER["host"], MAIL_SERVER["port"], MAIL_SERVER["timeout"]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL_SERVER["username"], MAIL_SERVER["password"]
    EMAIL_USE_TLS, EMAIL_USE_SSL = MAIL_SERVER["use_tls"], MAIL_SERVER["use_ssl"]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "usagesite.bundles.Bundles",
]
STATICFILES_DIRS = [("plotly", BASE_DIR / "node_modules" / "plotly.js-basic-dist-min")]
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SAMESITE = "Lax"
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = 31_536_000
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
# Whether other names of the domain use TLS is not for this site to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# Lines on standard error, each of text or a JSON object. What they may say, aggregates.ops.logs sees to.
LOG_FORMAT = env.choice("LOG_FORMAT", ("text", "json"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "aggregates.ops.logs.formats.TextLines"},
        "json": {"()": "aggregates.ops.logs.formats.JsonLines"},
    },
    "filters": {
        "once": {"()": "aggregates.ops.logs.filters.OncePerRequest"},
        "flood": {"()": "aggregates.ops.logs.filters.Flood"},
        "no_results": {"()": "aggregates.ops.logs.filters.NoTaskResults"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["once", "flood"]}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": []},  # instead of Django's own, which mails
        "django-q": {"level": "WARNING", "filters": ["no_results"]},
        # It has errors of what strangers send, in their words; aggregates.web.views.saml has lines of its own.
        "allauth.socialaccount.providers.saml": {"level": "CRITICAL"},
    },
}

# Where processes count their requests, for /metrics: a folder in memory, as a full disk would end who counts there.
memory.name_folder("PROMETHEUS_MULTIPROC_DIR", DATA_DIR)

# The task cluster. Its queue is a table of the same database, so a task and its schedule commit together.
Q_CLUSTER = {
    "name": "usagesite",
    "orm": "default",
    "workers": 2,
    "timeout": 3600,  # seconds that one run may take
    "retry": 3660,  # above timeout, or a long run would be started again beside itself
    "max_attempts": 3,
    "poll": 1,
    "catch_up": False,
    "ack_failures": True,  # a task that failed is not run again: the next repair does its work
    "save_limit": 300,  # successful runs kept of each schedule
    "save_limit_per": "group",
    "label": "Task cluster",
}

# Calls are kept for this many whole months besides the current one, their daily aggregates for ever; 0: both for ever.
KEEP_MONTHS = env.number("KEEP_MONTHS", default=0, least=0, most=1200)

# Entries of the audit log are kept for this many months from when they are written, by the database itself.
AUDIT_MONTHS = env.number("AUDIT_MONTHS", default=24, least=1, most=1200)

# Ranges of this many days or less read the log; longer ones read the daily aggregates.
LIVE_DAYS = 7
# A short range with more calls than this in its closed days takes those from the aggregates all the same.
LIVE_CALLS = 20_000
# For so many weeks the hours of large days are summed, too: ranges with more calls than that read these by hour.
HOURLY_WEEKS = env.number("HOURLY_WEEKS", default=5, least=0, most=160)

# Whether nobody else is served: then processes of this machine may read /metrics without a token.
THIS_MACHINE_ONLY = set(ALLOWED_HOSTS) <= THIS_MACHINE
# Whoever holds this token may read /metrics from anywhere.
METRICS_TOKEN = env.token("METRICS_TOKEN")
# For how long after its end a day may wait for its roll-up before the site is not ready.
ROLLED_WITHIN_HOURS = env.number("ROLLED_WITHIN_HOURS", default=26, least=1, most=8760)
# Requests that the API takes with one key in a minute, by the database's clock.
API_REQUESTS_PER_MINUTE = env.number("API_REQUESTS_PER_MINUTE", default=6000, least=1, most=1_000_000)
# Megabytes of the largest file that the page for imports takes, as it is sent.
IMPORT_MAX_MB = env.number("IMPORT_MAX_MB", default=64, least=1, most=1024)
# Megabytes of the largest file that is exported, as it is sent; and of one user, files that a process makes or sends.
EXPORT_MAX_MB = env.number("EXPORT_MAX_MB", default=1024, least=1, most=100_000)
EXPORTS_PER_USER = env.number("EXPORTS_PER_USER", default=2, least=1, most=100)
