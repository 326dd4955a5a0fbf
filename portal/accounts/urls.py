"""URLs of accounts. Signing in and out have global names, as Django expects; the rest is `accounts:…`."""

from django.urls import include, path

from portal.accounts import views

own = [
    path("", views.profile, name="profile"),
    path("password/", views.password, name="password"),
    path("theme/", views.theme, name="theme"),
    path("tokens/", views.own_tokens, name="tokens"),
    path("tokens/<uuid:token_id>/revoke/", views.revoke_token, name="revoke-token"),
]
urlpatterns = [
    path("login/", views.SignIn.as_view(), name="login"),
    path("logout/", views.sign_out, name="logout"),
    path("", include((own, "accounts"))),
]
