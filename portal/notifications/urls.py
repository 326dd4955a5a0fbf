"""URLs of notifications."""

from django.urls import path

from portal.notifications import views

app_name = "notifications"
urlpatterns = [
    path("", views.notifications, name="list"),
    path("area/", views.area, name="area"),
    path("dismiss/", views.dismiss_ended, name="dismiss-ended"),
    path("<uuid:notification_id>/dismiss/", views.dismiss, name="dismiss"),
]
